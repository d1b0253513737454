"""Which loops make learning and judging fast?"""
