"""Which lists stand beside the home list? Similar, add-ons, buy again, vendors, featured."""
