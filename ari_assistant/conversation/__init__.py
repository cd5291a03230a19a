"""A conversation with one caller: what it decides (pure), and who carries that out. It knows no telephone."""
