"""The keys `render.*` that say what is drawn: assets, how scenarios stand in them, vehicles to borrow."""

from __future__ import annotations

from pathlib import Path

from simengine.config.schema import RenderConfig, RunConfig
from simengine.errors import ConfigError
from simengine.render.assets.library import AgentLibrary
from simengine.render.assets.opener import COMPOSITIONS, SceneOpener
from simengine.render.lift_agents import lift_agent


def usual_composition(config: RunConfig) -> str:
    """Return how scenarios stand in assets: as configured, else as published in the published protocol."""
    published = config.protocol.name in COMPOSITIONS
    return config.render.composition or (config.protocol.name if published else next(iter(COMPOSITIONS)))


def scene_opener(config: RenderConfig) -> SceneOpener:
    """Return what opens the scenes of a run whose keys are settled.

    Raises:
        ConfigError: a folder is not there.
    """
    for key in ("asset_root", "agent_library"):
        folder = getattr(config, key)
        if folder is not None and not Path(folder).is_dir():
            raise ConfigError(
                f"render.{key} is {folder}, but there is no such folder: check the path or leave it out"
            )
    return SceneOpener(
        None if config.asset_root is None else Path(config.asset_root),
        config.composition or next(iter(COMPOSITIONS)),
        lift_agent if config.agent_library is None else AgentLibrary(Path(config.agent_library)),
    )


def cache_bytes(config: RenderConfig) -> int | None:
    """Return the bound of memory of scenes that are kept [bytes]; None for no bound.

    Raises:
        ConfigError: it is negative.
    """
    if config.cache_mib is None:
        return None
    if config.cache_mib < 0:
        raise ConfigError(f"render.cache_mib is {config.cache_mib}, expected at least 0")
    return config.cache_mib * 2**20
