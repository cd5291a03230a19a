"""What a conversation decides, as pure functions of what happens: no I/O, no clock, no chance."""
