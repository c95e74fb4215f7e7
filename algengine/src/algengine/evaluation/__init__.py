"""Open-loop evaluation."""
