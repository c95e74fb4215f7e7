"""One sub-score that lost points: when, against what, by which numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Blame:
    """One sub-score that lost points, when, and against whom.

    Attributes:
        sub_score: name of the sub-score.
        time: of the first violation, after the first decision [s].
        agent_id: the track involved, "" if none is.
        agent_type: its class in words, "" without one.
        detail: what happened, in words without the time and the track.
        account: the same at length, with the numbers, as one clause.
        numbers: what `account` is made of, and more; SI units, angles in degrees where the name says so, positions in
            world unless the name says otherwise; NaN where something is not known.
        slight: whether it is a matter of degree and no failure.
    """

    sub_score: str
    time: float
    agent_id: str = ""
    agent_type: str = ""
    detail: str = ""
    account: str = ""
    numbers: Mapping[str, object] = field(default_factory=dict)
    slight: bool = False

    def sentence(self) -> str:
        """Return such as "collision at 2.3 s with agent_7 (pedestrian)"."""
        whom = f" with {self.agent_id} ({self.agent_type})" if self.agent_id else ""
        return f"{self.detail} at {self.time:.1f} s{whom}"

    def to_json(self) -> dict:
        """Return everything as JSON values; what is not known is None."""
        return {
            "sub_score": self.sub_score,
            "time": self.time,
            "agent_id": self.agent_id,
            "agent_type": self.agent_type,
            "sentence": self.sentence(),
            "account": self.account,
            "numbers": _plain(self.numbers),
        }


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
