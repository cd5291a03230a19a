"""The media process and its client: sockets, threads, files."""
