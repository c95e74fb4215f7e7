"""Every lost sub-score of an episode as small plain values for the page."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from simengine.datatypes.record import RolloutRecord
from simengine.metrics.blame import Blame


def losses_of(blames: Iterable[Blame], record: RolloutRecord) -> list[dict]:
    """Return what the page shows of each loss; places are centimetres from the first ego position."""
    origin = record.ego_states[0, :2]
    return [
        {
            "name": blame.sub_score,
            "time": blame.time,
            "agent": blame.agent_id,
            "what": blame.sentence(),
            "numbers": blame.account,
            "slight": blame.slight,
            "at": _place(blame, origin),
        }
        for blame in blames
    ]


def _place(blame: Blame, origin: np.ndarray) -> list[int] | None:
    """Return where a collision or a departure from the road was, None for other losses."""
    place = blame.numbers.get("contact", blame.numbers.get("position"))
    if place is None:
        return None
    return [round(100.0 * float(value)) for value in np.asarray(place, dtype=np.float64) - origin]
