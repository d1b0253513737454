"""Which loops make ranking and its reasons fast?"""
