"""Finding configs: a path, or the name of one that ships with the package."""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from pathlib import Path

from mmengine.config import Config

from simengine.errors import ConfigError

_BROKEN = (SyntaxError, NameError, KeyError, TypeError, ValueError, AttributeError, OSError)
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
    known = "".join(f"\n  {known}" for known in config_names())
    raise ConfigError(
        f"there is no config {name!r}, expected the path of a .py file or one of these names:{known}"
    )


def config_names() -> list[str]:
    """Return the names of all configs that can be run, without `.py`; what begins with `_` is only a part."""
    found = {path.relative_to(folder) for folder in config_folders() for path in folder.rglob("*.py")}
    names = [path for path in found if not any(part.startswith("_") for part in path.parts)]
    return [
        path.with_suffix("").as_posix() for path in sorted(names, key=lambda path: (len(path.parts), path))
    ]


def load_config(name: str, options: Sequence[str] = (), sections: Collection[str] = ()) -> Config:
    """Return a config with `key=value` overrides applied.

    Args:
        name: see `find_config`.
        options: overrides.
        sections: top-level keys whose inner keys whoever reads the config knows and checks, so that an override may
            name one that the file does not spell out, and nothing outside; none for keys of the file alone.

    Raises:
        ConfigError: the file is missing or broken, or an override names a key that does not exist.
    """
    path = find_config(name)
    if path.suffix != ".py":
        raise ConfigError(f"{path} is no config, expected a .py file such as those in configs/alg")
    try:
        config = Config.fromfile(path)
    except _BROKEN as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"the config {path} cannot be read ({type(error).__name__}: {reason}): fix that line"
        ) from error
    for option in options:
        key, equals, value = option.partition("=")
        fits = key.partition(".")[0] in sections if sections else _has(config, key)
        expected = f"one of {', '.join(sections)} or a key below it" if sections else "an existing key"
        try:
            if not equals or not fits:
                raise KeyError(key)
            config.merge_from_dict({key: _parse(value)})
        except _BROKEN as error:
            raise ConfigError(
                f"the option {option!r} does not fit {path}, expected key=value with {expected}"
            ) from error
    return config


def load_planner_config(name: str, options: Sequence[str] = ()) -> Config:
    """Return a config of a planner and its training, see `load_config`.

    Raises:
        ConfigError: as there, or it is of something else, such as a recipe of post-training.
    """
    config = load_config(name, options)
    if "type" not in config.get("model", {}):
        raise ConfigError(
            f"the config {name} describes no planner (it has no model.type), expected one such as vadv2_demo: recipes "
            "of post_training/ are for `algengine post-train`"
        )
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
