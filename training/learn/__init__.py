"""How are models, blend and ranker fitted, and with which settings?"""
