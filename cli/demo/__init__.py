"""How does the demo run and look?"""
