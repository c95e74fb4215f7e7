"""The built-in splits as handles, and written to disk."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from simengine.errors import ConfigError
from simengine.scenario.io import save_scenario
from simengine.scenario.scenario import Scenario
from simengine.scenario.splits import IndexEntry, index_entry, write_index
from simengine.world.generate import find_split, generate, scenario_token
from simengine.world.recipe import BUILTIN_SPLITS

__all__ = ["BUILTIN_SPLITS", "BuiltinHandle", "builtin_handles", "write_split"]


@dataclass(frozen=True)
class BuiltinHandle:
    """A built-in scenario that is generated when loaded; small and picklable."""

    split: str
    index: int

    @property
    def token(self) -> str:
        """Id of the scenario."""
        return scenario_token(self.split, self.index)

    def load(self) -> Scenario:
        """Return the scenario."""
        return generate(self.split, self.index)


def builtin_handles(split: str, num_scenarios: int | None = None) -> list[BuiltinHandle]:
    """Return one handle for each scenario of a built-in split, in order.

    Args:
        split: name of the split.
        num_scenarios: how many; its default size if None.

    Raises:
        ConfigError: no such split, or it has fewer scenarios.
    """
    definition = find_split(split)
    count = definition.size if num_scenarios is None else num_scenarios
    if count < 1 or (count > definition.size and not definition.open_ended):
        expected = "at least 1" if definition.open_ended else f"1 to {definition.size}"
        raise ConfigError(
            f"{count} scenarios of built-in split {split} are asked for, expected {expected}: change the number of "
            "scenarios"
        )
    return [BuiltinHandle(split, index) for index in range(count)]


def write_split(
    split: str,
    directory: Path,
    workers: int = 1,
    num_scenarios: int | None = None,
    progress: Callable[[], None] | None = None,
) -> int:
    """Write a built-in split as native files with an index and return how many scenarios it has.

    Args:
        split: name of the split.
        directory: where to write.
        workers: processes; the files do not depend on it.
        num_scenarios: how many; its default size if None.
        progress: called after each scenario.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    jobs = [(handle, directory) for handle in builtin_handles(split, num_scenarios)]
    entries = []
    for entry in _entries(jobs, min(workers, len(jobs))):
        entries.append(entry)
        if progress is not None:
            progress()
    write_index(directory, entries)
    return len(entries)


def _entries(jobs: list[tuple[BuiltinHandle, Path]], workers: int) -> Iterator[IndexEntry]:
    if workers <= 1:
        yield from map(_write_one, jobs)
        return
    # Spawned workers inherit no threads or locks of this process.
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(_write_one, jobs)


def _write_one(job: tuple[BuiltinHandle, Path]) -> IndexEntry:
    handle, directory = job
    scenario = handle.load()
    return index_entry(scenario, save_scenario(scenario, directory / f"{handle.token}.npz"))
