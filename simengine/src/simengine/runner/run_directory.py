"""The folder of one run: what is in it, and what of it is already done."""

from __future__ import annotations

import json
from pathlib import Path

from simengine.errors import ConfigError
from simengine.export.openscene import discard_openscene
from simengine.files.atomic import write_atomically
from simengine.metrics.row import ScoreRow, row_from_json, row_to_json


class RunDirectory:
    """Paths and atomic writes below one run folder.

    A scenario is done when its row file exists; the row is written last, so an interrupted scenario
    leaves no row and is run again.

    Args:
        root: the folder.
        openscene: where output in the original's layout goes, None without it.
    """

    def __init__(self, root: Path, openscene: Path | None = None) -> None:
        self.root = Path(root)
        self.openscene = openscene

    def row(self, token: str) -> Path:
        """Return the path of the score row of `token`."""
        return self.root / "rows" / f"{token}.json"

    def record(self, token: str) -> Path:
        """Return the path of the rollout record of `token`."""
        return self.root / "records" / f"{token}.npz"

    def observations(self, token: str) -> Path:
        """Return the path of the observation log of `token`."""
        return self.root / "observations" / f"{token}.npz"

    def rewards(self, token: str) -> Path:
        """Return the path of the rewards of `token` in the native format."""
        return self.root / "rewards" / f"{token}.npz"

    @property
    def pdms_pkl(self) -> Path:
        """The folder of rewards in the original's format."""
        return (self.root if self.openscene is None else self.openscene) / "pdms_pkl"

    def failure(self, token: str) -> Path:
        """Return the path of the traceback of `token`, if it failed."""
        return self.root / "failures" / f"{token}.txt"

    def open(self, fingerprint: dict, resume: bool) -> None:
        """Create the folder, or check that it belongs to the same run.

        Args:
            fingerprint: everything results depend on, as JSON values.
            resume: keep finished rows and rewards; otherwise they are deleted.

        Raises:
            ConfigError: the folder holds results of another configuration.
        """
        path = self.root / "fingerprint.json"
        text = json.dumps(fingerprint, indent=1, sort_keys=True)
        if resume and path.exists() and path.read_text() != text and self._has_results():
            raise ConfigError(
                f"{self.root} holds results of another configuration (differs in "
                f"{', '.join(_differences(json.loads(path.read_text()), fingerprint))}), expected the same one: "
                "choose another output_dir, or resume=false to start over"
            )
        if not resume:
            for pattern in ("rows/*.json", "rewards/*.npz", "pdms_pkl/*_scores.pkl"):
                for stale in self.root.glob(pattern):
                    stale.unlink()
            if self.openscene is not None:
                discard_openscene(self.openscene)
        self.write(path, text)

    def _has_results(self) -> bool:
        """A run that ended before its first scenario, over a wrong path say, binds nobody."""
        folders = [self.root / name for name in ("rows", "records", "rewards", "observations", "pdms_pkl")]
        if self.openscene is not None:
            folders.append(self.openscene)
        return any(folder.is_dir() and any(folder.iterdir()) for folder in folders)

    def write(self, path: Path, text: str) -> None:
        """Write `text` to `path`, atomically."""
        write_atomically(path, text.encode())

    def save_row(self, row: ScoreRow) -> None:
        """Write `row`: from now on its scenario is done."""
        write_atomically(self.row(row.token), row_to_json(row))

    def finished(self, tokens: list[str]) -> list[ScoreRow]:
        """Return the rows of `tokens` that were scored before; failed ones are to be run again."""
        rows = [row_from_json(self.row(t).read_text()) for t in tokens if self.row(t).exists()]
        return [row for row in rows if row.status == "ok"]


def _differences(old: dict, new: dict, prefix: str = "") -> list[str]:
    found = []
    for key in sorted(old.keys() | new.keys()):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{prefix}{key}.")
        elif a != b:
            found.append(f"{prefix}{key}")
    return found
