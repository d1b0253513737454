"""What can be ordered here and now? The menu as arrays, and the hard filters."""
