"""Sending server messages: who gets them, how they are signed, and in which order."""
