"""Thin drivers over the MMEngine Runner, and the weights file."""
