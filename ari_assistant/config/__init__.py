"""What the operator sets: settings, the assistants file, the names of this machine."""
