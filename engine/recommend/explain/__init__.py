"""Why is a dish shown, and why is a list short?"""
