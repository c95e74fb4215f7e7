"""SimEngine: a closed-loop simulator for end-to-end driving models."""

__version__ = "0.1.0"
