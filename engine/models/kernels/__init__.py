"""Which loops do models share, and how are they made fast?"""
