"""Planners: models and heads put together."""

from algengine.planners.vadv2 import VADv2

__all__ = ["VADv2"]
