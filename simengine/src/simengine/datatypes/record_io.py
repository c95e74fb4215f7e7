"""Rollout records as one file each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.record import RolloutRecord
from simengine.datatypes.trust import MATRICES, RenderTrust
from simengine.files.arrays import read_arrays, write_arrays

_FORMAT = "simengine-rollout-record"
_VERSION = 1
_ARRAYS = ("timestamps_us", "ego_states", "decision_frames", "plans", "plan_indices", "commands")
_SCALARS = ("token", "protocol", "traffic", "seed", "dt", "plan_dt")
_TRACK_ARRAYS = ("types", "pose", "velocity", "size", "valid")


def save_record(record: RolloutRecord, path: Path) -> None:
    """Write `record` to `path`, atomically."""
    header = {"format": _FORMAT, "version": _VERSION}
    header |= {name: getattr(record, name) for name in _SCALARS}
    header |= {"agent_ids": record.agents.ids, "light_ids": record.lights.lane_ids}
    arrays = {name: getattr(record, name) for name in _ARRAYS}
    arrays |= {f"agents.{name}": getattr(record.agents, name) for name in _TRACK_ARRAYS}
    arrays |= {"lights.state": record.lights.state, "lights.stop_point": record.lights.stop_point}
    if record.trust is not None:
        header["trust_channels"] = record.trust.channels
        arrays |= {f"trust.{name}": getattr(record.trust, name) for name in MATRICES}
    write_arrays(path, header, arrays)


def load_record(path: Path) -> RolloutRecord:
    """Return the record stored at `path`.

    Raises:
        ScenarioFormatError: the file is missing, truncated or of another format.
    """
    header, arrays = read_arrays(path, _FORMAT, _VERSION)
    return RolloutRecord(
        **{name: header[name] for name in _SCALARS},
        **{name: arrays[name] for name in _ARRAYS},
        agents=AgentTracks(tuple(header["agent_ids"]), *(arrays[f"agents.{name}"] for name in _TRACK_ARRAYS)),
        lights=TrafficLights(tuple(header["light_ids"]), arrays["lights.state"], arrays["lights.stop_point"]),
        trust=_trust(header, arrays),
    )


def _trust(header: dict, arrays: dict[str, np.ndarray]) -> RenderTrust | None:
    if "trust_channels" not in header:
        return None
    return RenderTrust(tuple(header["trust_channels"]), *(arrays[f"trust.{name}"] for name in MATRICES))
