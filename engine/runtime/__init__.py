"""How does the machine run it? Compiled loops, threads, memory and logs."""
