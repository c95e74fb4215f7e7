"""Configuration: typed schema, Hydra composition, and the one place where names become objects."""
