"""What an examination finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "info", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        check: what was looked at.
        level: `error` for a mistake, `warning` for what needs a look, `info` and `ok` for the rest.
        observed: what the planner did.
        expected: what was expected; may be empty if all is well.
        mistake: id of the probable mistake, empty without one.
        meaning: the mistake in words.
        where: where to look for it.
    """

    check: str
    level: Level
    observed: str
    expected: str = ""
    mistake: str = ""
    meaning: str = ""
    where: str = ""
