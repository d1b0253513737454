"""How is each column of the customer table computed?"""
