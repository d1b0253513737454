"""How does a simulated city with known truth come about?"""
