"""Planners and perception: models and heads put together."""

from algengine.planners.uniad import UniAD
from algengine.planners.vadv2 import VADv2

__all__ = ["UniAD", "VADv2"]
