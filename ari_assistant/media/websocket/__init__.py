"""Media over chan_websocket."""
