"""From words `key=value` under the original's names to words of our own configuration."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from simengine.config.compat import TABLE, Values
from simengine.config.schema import RunConfig
from simengine.errors import ConfigError


def translate(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return words of our configuration and notes, given words `key=value` of the original's and of ours.

    Our own words come last and so win over what the original's keys set.

    Raises:
        ConfigError: a key is neither the original's nor ours, or a value is none that its key knows.
    """
    given: dict[str, object] = {}
    own: list[str] = []
    for word in words:
        key, value = _read(word)
        if key in TABLE:
            given[key] = value
        elif key in OUR_KEYS:
            own.append(word.lstrip("+"))
        else:
            raise ConfigError(f"{key} is no key of the original nor of ours{_nearest(key)}")
    values = _all_values(given)
    ours: dict[str, object] = {}
    for row in TABLE.values():
        ours |= row.ours(values) if row.ours else {}
    notes = [_note(key, values) for key in TABLE if key in given]
    return [f"{key}={json.dumps(value)}" for key, value in ours.items()] + own, notes


def _note(key: str, values: Values) -> str:
    """Return a sentence about what becomes of a key of the original."""
    row, stated = TABLE[key], f"{key}={_plain(values[key])}"
    if row.ours is None:
        return f"{stated} has no effect: {row.note}"
    changes = " ".join(f"{name}={_plain(value)}" for name, value in row.ours(values).items())
    return f"{stated} becomes {changes or 'nothing'}" + (f" ({row.note})" if row.note else "")


def _all_values(given: Values) -> dict[str, object]:
    """Return every key with its value, interpolations resolved."""
    for key, value in given.items():
        _check(key, value)
    stated = {key: row.default for key, row in TABLE.items()} | dict(given)
    try:
        values = OmegaConf.to_container(OmegaConf.create(stated), resolve=True)
    except OmegaConfBaseException as error:
        reason = " ".join(str(error).split("\n")[0].split())
        raise ConfigError(
            f"a value refers to something else ({reason}), expected keys of the original"
        ) from None
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def _check(key: str, value: object) -> None:
    """Raise `ConfigError` if a value is none that its key knows; keys without effect take anything."""
    row = TABLE[key]
    if row.choices and value not in row.choices:
        raise ConfigError(f"{key} is {value!r}, expected one of {', '.join(map(str, row.choices))}")
    kind = type(row.default)
    fits = isinstance(value, int | float if kind is float else kind) and (kind is bool) == isinstance(
        value, bool
    )
    if row.ours is not None and row.default is not None and not fits:
        raise ConfigError(f"{key} is {value!r}, expected a value like {_plain(row.default)}")


def _read(word: str) -> tuple[str, object]:
    try:
        override = OverridesParser.create().parse_override(word)
        if override.key_or_group:
            return str(override.key_or_group), override.value()
        reason = "there is no key"
    except HydraException as error:
        reason = " ".join(str(error).split("\n")[0].split())
    raise ConfigError(f"the word {word!r} cannot be read ({reason}), expected key=value")


def _nearest(key: str) -> str:
    near = difflib.get_close_matches(key, [*TABLE, *OUR_KEYS], n=1)
    return f", expected something like {near[0]}" if near else ": see docs/protocols.md"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _flat(values: Mapping, prefix: str = "") -> list[str]:
    found = []
    for key, value in values.items():
        found += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]
    return found


OUR_KEYS = (*_flat(asdict(RunConfig())),)
