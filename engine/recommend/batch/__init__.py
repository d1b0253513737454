"""What is best for everybody at once, and how does it reach a file?"""
