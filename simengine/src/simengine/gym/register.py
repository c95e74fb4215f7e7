"""The name under which `gymnasium.make` finds the environment."""

from __future__ import annotations

import gymnasium

ENV_ID = "simengine/ClosedLoop-v0"


def register() -> None:
    """Enter the environment into Gymnasium's registry; twice is no error."""
    if ENV_ID not in gymnasium.registry:
        gymnasium.register(ENV_ID, entry_point="simengine.gym.env:ClosedLoopEnv")
