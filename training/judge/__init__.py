"""How good is it, for whom, and may it go live?"""
