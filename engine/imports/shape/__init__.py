"""Which rows and columns does a file hold? Text, sheets, Parquet and archives, and what stands around their table."""
