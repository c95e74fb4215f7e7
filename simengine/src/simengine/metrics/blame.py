"""Why an episode lost points: which sub-score, when, and against whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simengine.datatypes.agents import AgentType
from simengine.metrics.pdm.comfort import BOUNDS
from simengine.metrics.pdm.contact import Violations
from simengine.metrics.pdm.observation import TrackObservation
from simengine.metrics.pdm.scorer import PdmBatch

LITTLE_PROGRESS = 0.5


@dataclass(frozen=True)
class Blame:
    """One sub-score that lost points, when, and against whom.

    Attributes:
        sub_score: name of the sub-score.
        time: of the first violation, after the first decision [s].
        agent_id: the track involved, "" if none is.
        agent_type: its class in words, "" without one.
        detail: what happened, in words without the time and the track.
    """

    sub_score: str
    time: float
    agent_id: str = ""
    agent_type: str = ""
    detail: str = ""

    def sentence(self) -> str:
        """Return such as "collision at 2.3 s with agent_7 (pedestrian)"."""
        whom = f" with {self.agent_id} ({self.agent_type})" if self.agent_id else ""
        return f"{self.detail} at {self.time:.1f} s{whom}"


def blames_of(
    values: Mapping[str, float], batch: PdmBatch, observation: TrackObservation, dt: float
) -> tuple[Blame, ...]:
    """Return the failures of row 1 of a batch: multiplicative ones by time, then the others.

    Args:
        values: sub-scores by name; missing ones (NaN) are never blamed.
        batch: what they were made of.
        observation: the tracks.
        dt: time between states [s].
    """
    hard, soft = [], []
    if values["no_at_fault_collisions"] < 1.0:
        hard.append(_contact("no_at_fault_collisions", "collision", batch.collisions, observation, dt))
    if values["drivable_area_compliance"] < 1.0:
        time = _time(batch.first_off_road[1], dt)
        hard.append(Blame("drivable_area_compliance", time, detail="off the drivable area"))
    if values["time_to_collision_within_bound"] < 1.0:
        detail = "time to collision too short"
        soft.append(_contact("time_to_collision_within_bound", detail, batch.ttc_violations, observation, dt))
    if values["comfort"] < 1.0:
        time = _time(batch.comfort_detail.first_frame[1], dt)
        check = list(BOUNDS)[int(batch.comfort_detail.first_check[1])]
        soft.append(Blame("comfort", time, detail=f"{check} out of bounds"))
    if values["driving_direction_compliance"] < 1.0:
        time = _time(batch.areas.oncoming[1].argmax(), dt)
        soft.append(Blame("driving_direction_compliance", time, detail="off the lanes of the route"))
    if not hard and values["ego_progress"] < LITTLE_PROGRESS:
        own, reference = batch.raw_progress[1], batch.raw_progress[0]
        end = _time(batch.areas.oncoming.shape[1] - 1, dt)
        detail = f"{own:.1f} m of progress where the reference made {reference:.1f} m"
        soft.append(Blame("ego_progress", end, detail=detail))
    return tuple(sorted(hard, key=lambda blame: blame.time)) + tuple(soft)


def _contact(name: str, detail: str, found: Violations, observation: TrackObservation, dt: float) -> Blame:
    row = int(found.track[1])
    kind = AgentType(int(observation.types[row])).name.lower().replace("_", " ")
    return Blame(name, _time(found.first_frame[1], dt), observation.ids[row], kind, detail)


def _time(frame: float, dt: float) -> float:
    return round(float(frame * dt), 6)
