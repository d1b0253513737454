"""`regulars recommend`: what would the service answer now, without a server?"""
