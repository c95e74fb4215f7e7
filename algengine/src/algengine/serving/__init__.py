"""Trained planners behind the simulator's bridge."""
