"""The map half of the perception stage."""

from algengine.heads.map_segmentation.head import PansegformerHead

__all__ = ["PansegformerHead"]
