"""What is each customer worth? Scores, tiers, clusters, and who resembles the best."""
