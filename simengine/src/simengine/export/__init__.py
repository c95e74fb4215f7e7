"""Rollouts in the layout of the original: OpenScene frames and images, merged runs, exported training data."""
