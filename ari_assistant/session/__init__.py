"""Who carries a conversation out: tasks, engines, models, voices. What it decides is `conversation`'s."""
