"""The error tree of the project.

Every error a user can cause is a `SimEngineError`; its message is one sentence that says what was
wrong, what was found, what was expected and what to do. Bugs in our own code stay plain exceptions.
"""

from __future__ import annotations


class SimEngineError(Exception):
    """Base of all errors that a user can cause and fix."""


class ConfigError(SimEngineError):
    """A configuration key or value is unknown, missing or contradictory."""


class ScenarioFormatError(SimEngineError):
    """A scenario file cannot be read or breaks the scenario contract."""


class MapQueryError(SimEngineError):
    """A map was asked something it cannot answer (unknown lane, no map at all)."""


class AssetError(SimEngineError):
    """A renderable asset is missing, corrupt or has the wrong shape."""


class RenderBackendError(SimEngineError):
    """A render backend is not installed or cannot render the given scene."""


class PlanError(SimEngineError):
    """A plan is malformed: wrong shape, wrong rate or not finite."""


class BridgeError(SimEngineError):
    """The conversation between simulator and planner broke."""


class VersionMismatchError(BridgeError):
    """Simulator and planner speak different protocol versions."""


class PlannerTimeoutError(BridgeError):
    """The planner did not answer within its deadline."""


class RemotePlannerError(BridgeError):
    """The planner answered with an error of its own."""
