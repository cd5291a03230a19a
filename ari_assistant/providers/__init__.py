"""Transcribers, models and voices: three small protocols, and one module a vendor behind them.

Local engines run in processes of their own (`process`, `worker`), below the media loop's priority.
"""
