"""A SIP telephone for the terminal: `ari-assistant call`, and the caller of the end-to-end tests."""
