"""How good is each candidate? Models, blend, features and ranker."""
