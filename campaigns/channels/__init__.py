"""Through what does a message leave? One file a channel."""
