"""OpenScene frames at 2 Hz, as NAVSIM, the original and our own exports have them, as samples of a planner."""

from algengine.datasets.openscene.dataset import OpenSceneDataset

__all__ = ["OpenSceneDataset"]
