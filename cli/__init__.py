"""The `regulars` command: what can be asked and done from a shell? One file a noun, each thin."""
