"""How do several processes share one socket, and who replaces one that dies?"""
