"""What would a map for this file say? Columns by name and by content, and what only its owner knows."""
