"""The media plane under load: `python -m benchmarks media`."""
