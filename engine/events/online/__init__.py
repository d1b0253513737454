"""What did each customer do lately, one look-up away? A cache of the inbox."""
