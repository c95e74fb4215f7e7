"""AlgEngine: learned planners, their training and their serving."""

__version__ = "0.1.0"
