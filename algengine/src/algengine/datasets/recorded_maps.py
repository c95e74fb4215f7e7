"""Maps that a frozen encoder has made of recordings, instead of their images.

A file holds `maps` (V, D, C, rows, cols), of V ego frames at D decisions, and `shifts` (V, 3), where those ego frames
are in the real one: the first is the real one, the others are displaced, see `perturb`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from algengine.datasets.recording_files import RecordingFiles

FORMAT = "algengine-maps"
VERSION = 1


class RecordedMaps:
    """Maps in a folder that `MapCache` has filled.

    Args:
        folder: of the files.
    """

    def __init__(self, folder: str | Path) -> None:
        self._files = RecordingFiles(Path(folder), FORMAT, VERSION)

    def shifts(self, recording: Path) -> np.ndarray:
        """Return the ego frames (V, 3) from which a recording was seen.

        Raises:
            ScenarioFormatError: it has no maps here, or they are truncated.
        """
        return np.array(self._files.open(recording)["shifts"])

    def clip(self, recording: Path, variant: int, frames: range) -> np.ndarray:
        """Return maps (Q, C, rows, cols) of consecutive decisions from one of the ego frames."""
        return np.array(self._files.open(recording)["maps"][variant, frames.start : frames.stop])
