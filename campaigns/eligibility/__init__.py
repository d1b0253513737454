"""Who is decided about, and may a message go to them?"""
