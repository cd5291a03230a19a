"""When does who speak: pure machines, events in, commands out, `now` in seconds as an argument."""
