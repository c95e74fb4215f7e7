"""What an evaluation has done so far: a line of JSON per token, so that it can go on where it stopped."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Generic, TypeVar

from simengine.errors import ConfigError

Line = TypeVar("Line")
_HEADER = "about"


class Journal(Generic[Line]):
    """The lines of all processes of an evaluation, each process appending to its own file.

    Args:
        folder: of the files.
        name: what the lines are.
        kind: dataclass with a `token`.
        about: what lines depend on; files about anything else are refused.
        rank: number of this process.
    """

    def __init__(self, folder: Path, name: str, kind: type[Line], about: dict, rank: int = 0) -> None:
        self._folder, self._name, self._kind, self._about = Path(folder), name, kind, about
        self._path = self._folder / f"{name}.{rank}.jsonl"

    def read(self) -> dict[str, Line]:
        """Return the lines of all processes by token; a line that was cut off by a crash does not count.

        Raises:
            ConfigError: a file belongs to another evaluation.
        """
        known = {item.name for item in fields(self._kind)}  # type: ignore[arg-type]
        found = {}
        for path in sorted(self._folder.glob(f"{self._name}.*.jsonl")):
            for values in _lines(path):
                if _HEADER in values:
                    self._check(path, values[_HEADER])
                else:
                    line = self._kind(**{k: v for k, v in values.items() if k in known})
                    # What failed in one process may have been done by another since.
                    if not (values.get("error") and values["token"] in found):
                        found[values["token"]] = line
        return found

    def append(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Yield the lines, each on disk before it is yielded."""
        self._folder.mkdir(parents=True, exist_ok=True)
        _drop_torn_end(self._path)
        with self._path.open("a", encoding="utf-8") as file:
            if file.tell() == 0:
                file.write(json.dumps({_HEADER: self._about}, sort_keys=True) + "\n")
            for line in lines:
                file.write(json.dumps(_without_nan(asdict(line))) + "\n")  # type: ignore[call-overload]
                file.flush()
                yield line

    def clear(self) -> None:
        """Delete all files."""
        for path in self._folder.glob(f"{self._name}.*.jsonl"):
            path.unlink()

    def _check(self, path: Path, about: dict) -> None:
        odd = [key for key in sorted({*about, *self._about}) if about.get(key) != self._about.get(key)]
        if odd:
            raise ConfigError(
                f"{path} has results with {odd[0]} {about.get(odd[0])!r}, expected {self._about.get(odd[0])!r}: "
                "choose another --output, or add --overwrite"
            )


def _without_nan(values: dict) -> dict:
    return {
        key: value for key, value in values.items() if not (isinstance(value, float) and math.isnan(value))
    }


def _lines(path: Path) -> Iterator[dict]:
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            values = json.loads(line)
            if not isinstance(values, dict) or not values.keys() & {_HEADER, "token"}:
                raise ValueError
            yield values
        except ValueError:
            if number < len(lines):
                raise ConfigError(
                    f"{path} line {number} is damaged, expected JSON: delete the file"
                ) from None


def _drop_torn_end(path: Path) -> None:
    if not path.is_file():
        return
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)
