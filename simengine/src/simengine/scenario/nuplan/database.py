"""SQLite files opened for reading only, with errors that say which file, what is wrong and what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from simengine.errors import ScenarioFormatError

_AT_ONCE = 500


class Database:
    """A read-only SQLite file; close it, or use it in a `with` statement."""

    def __init__(self, path: Path, kind: str) -> None:
        """Open the file.

        Args:
            path: the file.
            kind: what it should be, for messages.

        Raises:
            ScenarioFormatError: there is no such file, or it cannot be opened.
        """
        self.path, self._kind = Path(path), kind
        if not self.path.is_file():
            raise ScenarioFormatError(f"{self.path}: no such file, expected a {kind}: check the path")
        # An immutable file needs no lock, so that read-only disks work; an open journal forbids it.
        frozen = "" if Path(f"{self.path}-wal").exists() else "&immutable=1"
        try:
            self._connection = sqlite3.connect(
                f"file:{quote(str(self.path.resolve()))}?mode=ro{frozen}", uri=True
            )
        except sqlite3.Error as error:
            raise self._broken(error) from None

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def rows(self, query: str, values: Sequence = ()) -> list[tuple]:
        """Return all rows of a query.

        Raises:
            ScenarioFormatError: the file is damaged, no database, or lacks a table or column.
        """
        try:
            return self._connection.execute(query, values).fetchall()
        except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
            raise self._broken(error) from None

    def rows_for(self, query: str, keys: Iterable) -> Iterator[tuple]:
        """Yield the rows of a query for many keys; `{keys}` in the query stands for their list."""
        wanted = list(keys)
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            yield from self.rows(query.format(keys=",".join("?" * len(part))), part)

    @cached_property
    def tables(self) -> frozenset[str]:
        """Names of all tables, virtual ones too."""
        return frozenset(name for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'"))

    def columns(self, table: str) -> frozenset[str]:
        """Return the names of the columns of `table`, none if there is no such table."""
        return frozenset(row[1] for row in self.rows(f'PRAGMA table_info("{table}")'))

    def _broken(self, error: Exception) -> ScenarioFormatError:
        return ScenarioFormatError(
            f"{self.path}: cannot be read ({error}), expected a complete {self._kind}: download or copy it again"
        )
