"""Finding configs: a path, or the name of one that ships with the package."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from simengine.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent.parent


def config_folders() -> tuple[Path, ...]:
    """Return where named configs are looked for: in the wheel, then in a checkout."""
    return _PACKAGE / "configs", _PACKAGE.parents[2] / "configs" / "alg"


def find_config(name: str) -> Path:
    """Return the path of a config given as a path or as a name without `.py`.

    Raises:
        ConfigError: there is none.
    """
    if Path(name).is_file():
        return Path(name)
    for folder in config_folders():
        candidate = folder / f"{name.removesuffix('.py')}.py"
        if candidate.is_file():
            return candidate
    raise ConfigError(f"there is no config {name!r}, expected a path or one of {', '.join(config_names())}")


def config_names() -> list[str]:
    """Return the names of all configs that can be run, without `.py`; those in `_base_` are only parts."""
    found = {path.relative_to(folder) for folder in config_folders() for path in folder.rglob("*.py")}
    return sorted(path.with_suffix("").as_posix() for path in found if "_base_" not in path.parts)


def load_config(name: str, options: Sequence[str] = ()) -> Config:
    """Return a config with `key=value` overrides applied.

    Raises:
        ConfigError: the file is missing or broken, or an override names a key that does not exist.
    """
    path = find_config(name)
    try:
        config = Config.fromfile(path)
    except (SyntaxError, NameError, KeyError, TypeError, OSError) as error:
        raise ConfigError(
            f"the config {path} cannot be read ({type(error).__name__}: {error}): fix that line"
        ) from error
    overrides = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or not _has(config, key):
            raise ConfigError(
                f"the option {option!r} does not fit {path}, expected key=value with an existing key"
            )
        overrides[key] = _parse(value)
    config.merge_from_dict(overrides)
    return config


def _has(config: Config, key: str) -> bool:
    node = config
    for part in key.split("."):
        if isinstance(node, (list, tuple)) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif hasattr(node, "keys") and part in node:
            node = node[part]
        else:
            return False
    return True


def _parse(value: str) -> object:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
