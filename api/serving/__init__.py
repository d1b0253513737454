"""What does the service answer from, and how is it kept fresh?"""
