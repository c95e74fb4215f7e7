"""Thin drivers over the MMEngine Runner, and reading weights, ours and published ones."""
