"""What is said: history (what was heard), templates, prompts, clauses, and the built-in dialogue."""
