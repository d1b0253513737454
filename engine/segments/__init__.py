"""Who belongs? Rules, their evaluation and their explanation."""
