"""Geometry on plain numpy arrays: angles, SE(2), SE(3), boxes and polylines."""
