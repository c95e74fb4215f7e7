"""Network parts between images and a bird's-eye-view map."""

from algengine.models.bev.encoder import BEVEncoder
from algengine.models.data_preprocessor import PlanningDataPreprocessor
from algengine.models.resnet import ResNet

__all__ = ["BEVEncoder", "PlanningDataPreprocessor", "ResNet"]
