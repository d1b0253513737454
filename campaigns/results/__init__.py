"""What did a campaign earn?"""
