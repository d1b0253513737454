"""Did it help? Assignment of arms, and what the difference proves."""
