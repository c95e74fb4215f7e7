"""Weights of the published planner: their names, how they become ours, what is left out."""
