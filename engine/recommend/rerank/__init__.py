"""In which order, and how varied, are good candidates shown?"""
