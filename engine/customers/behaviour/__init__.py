"""What does each customer do, and what do they think of it? Purchases, cadence, habits, satisfaction."""
