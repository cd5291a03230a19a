"""Arithmetic on audio: codecs, rates, levels, what was played. Pure: no I/O, no clock."""
