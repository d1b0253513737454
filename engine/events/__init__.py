"""What did the app tell us, and how is each event kept exactly once?"""
