"""Asterisk's REST Interface: a small typed asyncio client with ari-py's vocabulary."""
