"""What does one signal say? One recommender a file, behind one protocol."""
