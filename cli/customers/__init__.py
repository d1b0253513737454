"""`regulars customers`: who is who, and what is to be expected of them?"""
