"""What do requests and responses look like?"""
