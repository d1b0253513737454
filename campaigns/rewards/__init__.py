"""What does a customer hold, and why? Coupons and their codes."""
