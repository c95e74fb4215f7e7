"""Whole files or none, and the one container for arrays: .npz with a JSON header."""
