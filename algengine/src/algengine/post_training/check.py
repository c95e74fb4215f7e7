"""Checks of numbers in a recipe, before hours of work with one that makes no sense."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simengine.errors import ConfigError


def check_least(section: str, values: object, names: Sequence[str], least: int) -> None:
    """Raise `ConfigError` unless all attributes called `names` are numbers of at least `least`."""
    _check(section, values, names, lambda value: value >= least, f"at least {least}")


def check_positive(section: str, values: object, names: Sequence[str]) -> None:
    """Raise `ConfigError` unless all attributes called `names` are numbers above 0."""
    _check(section, values, names, lambda value: value > 0.0, "a number above 0")


def check_share(section: str, values: object, names: Sequence[str]) -> None:
    """Raise `ConfigError` unless all attributes called `names` are shares."""
    _check(section, values, names, lambda value: 0.0 <= value <= 1.0, "0 to 1")


def _check(
    section: str, values: object, names: Sequence[str], fits: Callable[[float], bool], expected: str
) -> None:
    for name in names:
        value = getattr(values, name)
        # What is no number fits nothing.
        if not fits(value):
            raise ConfigError(f"{section}.{name} is {value}, expected {expected}")
