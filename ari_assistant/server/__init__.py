"""The server: what it is made of, how it starts, drains and stops."""
