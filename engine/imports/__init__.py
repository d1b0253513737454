"""How does a foreign file become rows? Every row is accepted, a duplicate, or refused with its reason."""
