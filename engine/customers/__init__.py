"""Who is this, in figures?"""
