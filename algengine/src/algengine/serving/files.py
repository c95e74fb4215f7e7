"""Runs a planner behind the `files` protocol, paired with the published simulator or with ours."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from simengine.bridge.files.folder import RunFolder
from simengine.bridge.files.server import FilesServer, FilesServerSettings
from simengine.bridge.planner import Planner
from simengine.scenario.restricted_pickle import load_pickle


def serve_files(planner: Planner, run: Path, clean: bool = False) -> None:
    """Answer the simulator that writes frames below `run` until it has ended; `clean` deletes frames and plans then.

    Raises:
        BridgeError: nothing came for half an hour, or some scenes could not be answered.
    """
    settings = FilesServerSettings(clean=clean)
    FilesServer(planner, RunFolder(run.expanduser()), load_pickle, decode_jpeg, settings).serve()


def decode_jpeg(data: bytes) -> np.ndarray:
    """Return a JPEG file as RGB (H, W, 3) uint8."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))
