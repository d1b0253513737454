"""What was ordered? Orders, lines and tables on Parquet, and how the inbox becomes part of them."""
