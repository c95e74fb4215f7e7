"""Errors of the planner side that a user can cause; children of the shared error tree."""

from __future__ import annotations

from simengine.errors import SimEngineError


class CheckpointError(SimEngineError):
    """A weights file is missing, corrupt or belongs to another model."""


class RecordingError(SimEngineError):
    """Recordings are missing or unusable for training."""


class DependencyError(SimEngineError):
    """A package that this command needs is not installed or does not fit."""
