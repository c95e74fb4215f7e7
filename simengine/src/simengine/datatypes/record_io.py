"""Rollout records as one .npz file each, without pickled objects."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np

from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.record import RolloutRecord
from simengine.errors import ScenarioFormatError

_FORMAT = "simengine.rollout_record"
_VERSION = 1
_ARRAYS = ("timestamps_us", "ego_states", "decision_frames", "plans", "plan_indices", "commands")
_SCALARS = ("token", "protocol", "traffic", "seed", "dt", "plan_dt")
_TRACK_ARRAYS = ("types", "pose", "velocity", "size", "valid")


def save_record(record: RolloutRecord, path: Path) -> None:
    """Write `record` to `path`, atomically."""
    header = {"format": _FORMAT, "version": _VERSION}
    header |= {name: getattr(record, name) for name in _SCALARS}
    header["agent_ids"] = record.agents.ids
    header["light_ids"] = record.lights.lane_ids
    arrays = {name: getattr(record, name) for name in _ARRAYS}
    arrays |= {f"agents_{name}": getattr(record.agents, name) for name in _TRACK_ARRAYS}
    arrays |= {"lights_state": record.lights.state, "lights_stop_point": record.lights.stop_point}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(buffer.getvalue())
    os.replace(temporary, path)


def load_record(path: Path) -> RolloutRecord:
    """Return the record stored at `path`.

    Raises:
        ScenarioFormatError: the file is missing, truncated or of another format.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(arrays["header"].tobytes())
        if (header.get("format"), header.get("version")) != (_FORMAT, _VERSION):
            raise ScenarioFormatError(
                f"{path} is {header.get('format')} version {header.get('version')}, expected {_FORMAT} version "
                f"{_VERSION}: run the scenario again"
            )
        return RolloutRecord(
            **{name: header[name] for name in _SCALARS},
            **{name: arrays[name] for name in _ARRAYS},
            agents=AgentTracks(
                tuple(header["agent_ids"]), *(arrays[f"agents_{name}"] for name in _TRACK_ARRAYS)
            ),
            lights=TrafficLights(
                tuple(header["light_ids"]), arrays["lights_state"], arrays["lights_stop_point"]
            ),
        )
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ScenarioFormatError(
            f"{path} is not a readable rollout record ({error}): run the scenario again"
        ) from error
