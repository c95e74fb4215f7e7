"""A stage: one command whose folder is named by everything that decides what the command writes."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

OUT = "{out}"
"""Stands for the stage's own folder in its words."""

_MODULES = {
    "simengine": "simengine.cli.main",
    "algengine": "algengine.cli.main",
    "step": "algengine.cli.table_steps",
}


@dataclass(frozen=True)
class Stage:
    """One command of the table.

    Paths in it are relative to the table's folder. They hold the keys of the stages that made them, so the key of a
    stage depends on all that came before it, and a changed option gets folders of its own.

    Attributes:
        name: for people, unique.
        words: the command: `simengine`, `algengine` or `step`, then its words, as far as they decide the result.
        needs: stages that have to be done before.
        carried_out: further words, about how and not what.
        inputs: hashes of files from elsewhere that it reads.
        spread: option (`--workers`) or key (`num_workers`) that says how many cores it may use; "" if it cannot tell.
    """

    name: str
    words: tuple[str, ...]
    needs: tuple[Stage, ...] = ()
    carried_out: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    spread: str = ""

    @cached_property
    def key(self) -> str:
        """Hex SHA-256 of everything that decides the result."""
        facts = [self.name, self.words, self.inputs, [stage.key for stage in self.needs]]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    @cached_property
    def ancestors(self) -> frozenset[str]:
        """Keys of all stages that come before it."""
        return frozenset(self._ancestors())

    def _ancestors(self) -> Iterator[str]:
        for stage in self.needs:
            yield stage.key
            yield from stage.ancestors

    @property
    def label(self) -> str:
        """Name of the folder."""
        return f"{self.name}-{self.key[:10]}"

    @property
    def folder(self) -> Path:
        """Where it writes, relative to the table's folder."""
        return Path("stages") / self.label

    @property
    def writes_folder(self) -> bool:
        """Whether it writes there; features go into a cache that all stages share."""
        return any(OUT in word for word in self.words)

    @property
    def marker(self) -> Path:
        """The file that says that it is done, likewise."""
        return Path("stages") / f"{self.label}.done.json"

    @property
    def log(self) -> Path:
        """What it printed, likewise."""
        return Path("logs") / f"{self.label}.log"

    def command(self, share: int = 1) -> list[str]:
        """Return the words of the process, which may use `share` cores."""
        words = self.words + self.carried_out + self._told(share)
        program, *rest = (word.replace(OUT, self.folder.as_posix()) for word in words)
        return [sys.executable, "-m", _MODULES[program], *rest]

    def _told(self, share: int) -> tuple[str, ...]:
        if self.spread.startswith("--"):
            return self.spread, str(share)
        # One process beside the one that only waits for it would be one too many.
        return ("worker=processes", f"{self.spread}={share}") if self.spread and share > 1 else ()
