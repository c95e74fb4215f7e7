"""Scenarios: the clip we simulate, its native file, and readers of other formats."""
