"""What will each customer do next? Orders, spending, churn, and how far a forecast can be trusted."""
