"""What is an offer worth, and may it be used?"""
