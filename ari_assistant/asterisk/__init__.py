"""Our own Asterisk: getting one, configuring it, keeping it running."""
