"""Importing: foreign files become canonical tables; every row is accepted, a duplicate, or refused with its reason."""
