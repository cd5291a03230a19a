"""Speed and memory: `python -m benchmarks NAME`, one command a table. Loopback only, bounded in count and time."""
