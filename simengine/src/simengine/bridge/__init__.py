"""The conversation between a simulator and a planner: over a socket, or in one process."""
