"""What one closed-loop episode leaves behind."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields

import numpy as np

from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.trust import RenderTrust


@dataclass(frozen=True)
class RolloutRecord:
    """One closed-loop episode: S ego states from the first decision on, and D decisions.

    Frame 0 of a record is `Scenario.initial_frame`. Agents and lights cover S' >= S frames: traffic goes on
    after the last scored ego state so that time to collision can look ahead.

    Attributes:
        token: scenario id.
        protocol: simulation protocol, such as `navsim`.
        traffic: `NR` (log replay) or `R` (reactive).
        seed: seed of this episode.
        dt: time between frames [s].
        timestamps_us: (S,) int64.
        ego_states: (S, 11) executed states, see `StateIndex`.
        agents: executed tracks over S' frames.
        lights: light states over S' frames.
        decision_frames: (D,) frames at which a plan was asked for.
        plans: (D, N, 3) planned poses in the ego frame of their decision.
        plan_dt: time between planned poses [s].
        plan_indices: (D,) vocabulary rows, -1 where the planner has no vocabulary.
        commands: (D,) int8 of `DrivingCommand`.
        trust: in the images of the D decisions; None where it was not measured.
    """

    token: str
    protocol: str
    traffic: str
    seed: int
    dt: float
    timestamps_us: np.ndarray
    ego_states: np.ndarray
    agents: AgentTracks
    lights: TrafficLights
    decision_frames: np.ndarray
    plans: np.ndarray
    plan_dt: float
    plan_indices: np.ndarray
    commands: np.ndarray
    trust: RenderTrust | None = None

    def content_hash(self) -> str:
        """Return 16 hex digits over everything in the record; equal records have equal hashes."""
        digest = hashlib.sha256()
        _feed(digest, self)
        return digest.hexdigest()[:16]


def _feed(digest: hashlib._Hash, value: object) -> None:
    if isinstance(value, np.ndarray):
        digest.update(f"{value.dtype.str}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif hasattr(value, "__dataclass_fields__"):
        for item in fields(value):
            part = getattr(value, item.name)
            if part is not None:  # what was not measured leaves no trace
                digest.update(item.name.encode())
                _feed(digest, part)
    else:
        digest.update(repr(value).encode())
