"""Turn-taking on recorded speech: `python -m benchmarks conversation`."""
