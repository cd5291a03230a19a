"""ari-assistant: a self-hosted voice assistant for Asterisk with Vapi's wire contract.

The packages, from the top of the house to its foundations (imports run downward only):

`cli`, `doctor`, `server` and `phone`, `config`, `api` and `asterisk`, `calls`, `dialogue`, `store` and
`webhooks`, `turns` and `providers`, `media` and `ari`, `vapi` and `telemetry`.
"""

__version__ = "0.1.0"
