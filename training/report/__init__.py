"""How does an evaluation read as one page?"""
