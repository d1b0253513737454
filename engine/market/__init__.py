"""How is the city doing? Trends, drops, and what is rated low."""
