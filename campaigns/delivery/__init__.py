"""How does each message leave exactly once? Outbox and worker."""
