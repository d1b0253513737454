"""How does the ordering app ask over HTTP?"""
