"""What does each customer do, like and say? Purchases, cadence, habits, satisfaction."""
