"""What was computed from recordings, kept on disk: one uncompressed file each, mapped when it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from simengine.errors import ScenarioFormatError
from simengine.files.arrays import write_arrays
from simengine.files.mapped import map_arrays
from simengine.scenario.splits import file_sha256


class RecordingFiles:
    """A folder with one file per recording, named by the recording's content.

    Args:
        folder: of the files; its name has to stand for everything else that decides their content.
        format_name: format of the files.
        version: of the format.
    """

    def __init__(self, folder: Path, format_name: str, version: int) -> None:
        self.folder = Path(folder)
        self._format, self._version = format_name, version
        self._paths: dict[Path, Path] = {}

    def path(self, recording: Path) -> Path:
        """Return where the file of a recording is, whether it is there or not."""
        if recording not in self._paths:
            self._paths[recording] = self.folder / f"{file_sha256(recording)[:32]}.npz"
        return self._paths[recording]

    def open(self, recording: Path) -> dict[str, np.ndarray]:
        """Return the memory-mapped arrays of a recording.

        Raises:
            ScenarioFormatError: they are not there, or truncated.
        """
        return map_arrays(self.path(recording), self._format, self._version)[1]

    def fill(
        self,
        recordings: Iterable[Path],
        make: Callable[[Path], dict[str, np.ndarray]],
        done: Callable[[Path], None] = lambda _: None,
    ) -> int:
        """Make what is missing or cannot be opened; return how many files were made. Interrupted, it goes on later.

        Args:
            recordings: paths of observation logs.
            make: returns the arrays of one.
            done: called after each recording.
        """
        made = 0
        for recording in recordings:
            try:
                self.open(recording)
            except ScenarioFormatError:
                header = {"format": self._format, "version": self._version, "token": recording.stem}
                write_arrays(self.path(recording), header, make(recording), compress=False)
                made += 1
            done(recording)
        return made
