"""Hydra: from a preset and `key=value` words to a typed `RunConfig`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from simengine.config.compat import PRESET
from simengine.config.protocols import settled
from simengine.config.schema import RunConfig
from simengine.config.translate import translate
from simengine.errors import ConfigError


@dataclass(frozen=True)
class Composed:
    """A configuration, and what became of the keys that it was given under other names.

    Attributes:
        run: settled.
        notes: sentences, one for each key of the original.
    """

    run: RunConfig
    notes: tuple[str, ...] = ()


def config_dir() -> Path:
    """Return the folder of the presets: inside the wheel, or in the checkout that we run from."""
    package = Path(__file__).resolve().parents[1]
    for candidate in (package / "configs", package.parents[2] / "configs" / "sim"):
        if candidate.is_dir():
            return candidate
    raise ConfigError(f"no presets beside {package}, expected a folder configs: install simengine again")


def presets() -> list[str]:
    """Return the names that `--config-name` accepts."""
    return sorted(path.stem for path in config_dir().glob("*.yaml"))


def compose_run(overrides: Sequence[str], preset: str = "closed_loop") -> RunConfig:
    """Return the configuration of `preset` with `overrides` such as `split=demo`; see `compose_noted`."""
    return compose_noted(overrides, preset).run


def compose_noted(overrides: Sequence[str], preset: str = "closed_loop") -> Composed:
    """Return the configuration of `preset` with `overrides`, which may be the original's in the preset of that name.

    Raises:
        ConfigError: a preset or key does not exist, or a value has the wrong type.
    """
    words, notes = translate(overrides) if preset == PRESET else (list(overrides), [])
    if preset not in presets():
        raise ConfigError(f"config name is {preset!r}, expected one of {', '.join(presets())}")
    ConfigStore.instance().store(name="run_schema", node=RunConfig)
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            config = compose(preset, overrides=words)
        run = OmegaConf.to_object(config)
    except (HydraException, OmegaConfBaseException) as error:
        # Hydra says which override it was, what it was raised from says why.
        parts = (str(part).split("\n")[0] for part in (error, error.__cause__) if part is not None)
        reason = ": ".join(" ".join(part.split()) for part in parts)
        raise ConfigError(
            f"the configuration does not compose ({reason}): see `simengine run --help`"
        ) from error
    assert isinstance(run, RunConfig)
    return Composed(settled(run), tuple(notes))


def to_yaml(run: RunConfig) -> str:
    """Return the resolved configuration as YAML text."""
    return OmegaConf.to_yaml(OmegaConf.structured(run))
