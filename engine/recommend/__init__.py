"""What is shown? From a request to ranked dishes with reasons."""
