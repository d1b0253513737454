"""`regulars segments`: how are groups of customers checked, counted, explained and saved?"""
