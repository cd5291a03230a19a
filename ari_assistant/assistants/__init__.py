"""Who the assistant is, and what its names stand for: lookup, providers, keys, plans."""
