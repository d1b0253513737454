"""How does HTTP work here? Keys, problems, bodies, the fast path."""
