"""How does a definition become decisions? Plan, launch, status."""
