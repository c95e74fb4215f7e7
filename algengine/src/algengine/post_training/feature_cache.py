"""What the frozen part of a planner gives for each recording, computed once and kept on disk.

One uncompressed file per recording, mapped when it is read, under a key of everything that decides its content: the
planner's weights and architecture, the recording, cameras and number format.

D decisions, C channels, K plans.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from algengine.datasets.frames import STATUS, ego_status
from algengine.datasets.futures import log_futures
from algengine.datasets.recording_files import RecordingFiles
from algengine.engine.weights import add_tensors
from algengine.planners.encode_log import encode_log
from algengine.planners.vadv2 import VADv2
from simengine.datatypes.observation_log import ObservationLog
from simengine.errors import ConfigError

FORMAT = "algengine-features"
VERSION = 1
DTYPES = ("float32", "float16")
_REFERENCE = "reference."


def planner_key(planner: VADv2, model: dict) -> str:
    """Return the hex SHA-256 of a planner's architecture and of all its weights."""
    digest = hashlib.sha256(json.dumps(model, sort_keys=True).encode())
    add_tensors(digest, sorted(planner.state_dict().items()))
    return digest.hexdigest()


@dataclass(frozen=True)
class Features:
    """The frozen part's results for one recording, memory-mapped.

    Attributes:
        bev: (D, C, rows, cols) maps before the head.
        status: (D, H, ...) ego status by name.
        driven: (D, T, 3) driven future.
        driven_valid: (D, T).
        reference: (D, K) float32 outputs of the frozen head by name.
    """

    bev: np.ndarray
    status: dict[str, np.ndarray]
    driven: np.ndarray
    driven_valid: np.ndarray
    reference: dict[str, np.ndarray]


class FeatureCache:
    """Features of recordings, made on demand.

    Args:
        root: folder of the files.
        planner: the frozen planner, in evaluation mode.
        model: its config, part of the key.
        cameras: see `encode_log`.
        dtype: of the maps: `float32`, or `float16` for half the size.
        device: where to compute.

    Raises:
        ConfigError: there is no such dtype.
    """

    def __init__(
        self,
        root: Path,
        planner: VADv2,
        model: dict,
        cameras: Sequence[str] = (),
        dtype: str = "float32",
        device: torch.device | str = "cpu",
    ) -> None:
        if dtype not in DTYPES:
            raise ConfigError(f"cache.dtype is {dtype!r}, expected one of {', '.join(DTYPES)}")
        self._planner, self._cameras = planner, tuple(cameras)
        self._dtype, self._device = dtype, torch.device(device)
        parts = f"{VERSION} {planner_key(planner, model)} {self._cameras} {dtype}"
        self.folder = Path(root) / hashlib.sha256(parts.encode()).hexdigest()[:16]
        self._files = RecordingFiles(self.folder, FORMAT, VERSION)

    def path(self, recording: Path) -> Path:
        """Return where the features of an observation log are kept, whether they are there or not."""
        return self._files.path(recording)

    def fill(self, recordings: Iterable[Path], done: Callable[[Path], None] = lambda _: None) -> int:
        """Make what is missing, see `RecordingFiles.fill`; return how many files were made."""
        return self._files.fill(recordings, self._make, done)

    def open(self, recording: Path) -> Features:
        """Return the features of a recording.

        Raises:
            ScenarioFormatError: they are not there, or truncated.
        """
        arrays = self._files.open(recording)
        status = {name: arrays[name] for name in STATUS}
        reference = {n[len(_REFERENCE) :]: v for n, v in arrays.items() if n.startswith(_REFERENCE)}
        return Features(arrays["bev"], status, arrays["driven"], arrays["driven_valid"], reference)

    def _make(self, recording: Path) -> dict[str, np.ndarray]:
        log = ObservationLog.load(recording)
        self._planner.to(self._device).eval()
        bev = encode_log(self._planner, log, self._cameras, self._device).numpy().astype(self._dtype)
        status = ego_status(log)
        driven, valid = log_futures(log, self._planner.head.vocabulary.shape[1])
        arrays = {"bev": bev, **status, "driven": driven, "driven_valid": valid}
        return arrays | {_REFERENCE + name: value for name, value in self._reference(bev, status).items()}

    @torch.no_grad()
    def _reference(self, bev: np.ndarray, status: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the head's outputs (D, K) on the maps as they are kept, so that both policies see the same."""
        rows = []
        for d in range(len(bev)):
            one = {k: torch.from_numpy(v[d : d + 1]).to(self._device) for k, v in status.items()}
            row = self._planner.head(torch.from_numpy(bev[d : d + 1]).float().to(self._device), one)
            rows.append({name: value[0].float().cpu().numpy() for name, value in row.items()})
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}
