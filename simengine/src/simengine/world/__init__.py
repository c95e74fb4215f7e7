"""The built-in procedural world: small places, traffic, events, and logs driven by an expert."""
