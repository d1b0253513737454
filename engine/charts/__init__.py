"""How is a figure drawn?"""
