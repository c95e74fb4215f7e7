"""Heads on the bird's-eye-view map."""

from algengine.heads.bev_segmentation import BEVSegmentationHead
from algengine.heads.map_segmentation import PansegformerHead
from algengine.heads.tracking import TrackHead
from algengine.heads.trajectory_scoring import TrajectoryScoringHead

__all__ = ["BEVSegmentationHead", "PansegformerHead", "TrackHead", "TrajectoryScoringHead"]
