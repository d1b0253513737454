"""What did the app report of its customers, each event exactly once?"""
