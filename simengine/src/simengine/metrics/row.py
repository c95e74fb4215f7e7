"""One row of the score table: the result of one scenario, or why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Literal, Protocol

import msgspec

from simengine.datatypes.record import RolloutRecord
from simengine.errors import ScenarioFormatError
from simengine.metrics.episode import SUB_SCORES, EpisodeScore

NAN = float("nan")
SCORE_COLUMNS = (*SUB_SCORES, "score", "success")


class Row(Protocol):
    """What tables and summaries need of a row, whatever its score columns; see `ScoreRow` for the fields."""

    @property
    def token(self) -> str:
        """Scenario id."""
        ...

    @property
    def status(self) -> Literal["ok", "failed"]:
        """Whether there is a score."""
        ...

    @property
    def score(self) -> float:
        """The total."""
        ...

    @property
    def reasons(self) -> dict[str, str]:
        """Why a value is missing or limited, by column."""
        ...

    @property
    def error(self) -> str:
        """Why there is no score."""
        ...


@dataclass(frozen=True)
class ScoreRow:
    """Scores of one token; NaN where a value is not known.

    Attributes:
        token: scenario id.
        status: `ok`, or `failed` when no score could be made; then `error` says why.
        no_at_fault_collisions: 1, 0.5 or 0.
        drivable_area_compliance: 1 or 0.
        ego_progress: in [0, 1].
        time_to_collision_within_bound: 1 or 0.
        comfort: 1 or 0.
        driving_direction_compliance: 1, 0.5 or 0.
        score: the PDM score in [0, 1].
        success: 1 or 0.
        first_violation_time: [s] after the first decision.
        first_violation_step: frame at 2 Hz, the first decision being frame 3; -1 without a violation.
        blame: the most severe failure in words.
        reasons: why a value is missing or limited, by column.
        mode: scoring mode.
        protocol: simulation protocol.
        traffic: `NR` or `R`.
        seed: seed of the episode.
        record_hash: content hash of the record that was scored.
        error: one line, empty if `status` is `ok`.
    """

    token: str
    status: Literal["ok", "failed"]
    no_at_fault_collisions: float = NAN
    drivable_area_compliance: float = NAN
    ego_progress: float = NAN
    time_to_collision_within_bound: float = NAN
    comfort: float = NAN
    driving_direction_compliance: float = NAN
    score: float = NAN
    success: float = NAN
    first_violation_time: float = NAN
    first_violation_step: int = -1
    blame: str = ""
    reasons: dict[str, str] = field(default_factory=dict)
    mode: str = ""
    protocol: str = ""
    traffic: str = ""
    seed: int = 0
    record_hash: str = ""
    error: str = ""


FLOAT_FIELDS = tuple(item.name for item in fields(ScoreRow) if item.type == "float")
_LINE_ENDS = str.maketrans({"\n": " ", "\r": " "})


def row_of(record: RolloutRecord, score: EpisodeScore) -> ScoreRow:
    """Return the row of a scored record."""
    return ScoreRow(
        token=record.token,
        status="ok",
        **{name: getattr(score, name) for name in SUB_SCORES},
        score=score.score,
        success=float(score.success),
        first_violation_time=score.first_violation_time,
        first_violation_step=score.first_violation_step,
        blame=score.blame,
        reasons=dict(score.reasons),
        mode=score.mode,
        protocol=record.protocol,
        traffic=record.traffic,
        seed=record.seed,
        record_hash=record.content_hash(),
    )


def failed_row(
    token: str, error: str, *, mode: str = "", protocol: str = "", traffic: str = "", seed: int = 0
) -> ScoreRow:
    """Return the row of a scenario that could not be simulated or scored; `error` becomes one line."""
    line = " ".join(error.translate(_LINE_ENDS).split())
    return ScoreRow(
        token=token, status="failed", error=line, mode=mode, protocol=protocol, traffic=traffic, seed=seed
    )


def row_to_json(row: ScoreRow) -> bytes:
    """Return a row as one line of JSON without its line end; NaN becomes null."""
    return msgspec.json.encode(row)


def row_from_json(line: bytes | str) -> ScoreRow:
    """Return the row of one line of JSON, or raise `ScenarioFormatError`."""
    try:
        values = msgspec.json.decode(line)
        if not isinstance(values, dict):
            raise msgspec.ValidationError("expected an object")
        missing = {name: NAN for name in FLOAT_FIELDS if values.get(name, NAN) is None}
        return msgspec.convert(values | missing, ScoreRow)
    except msgspec.MsgspecError as error:
        raise ScenarioFormatError(
            f"a score line cannot be read ({error}), expected one JSON object per line: "
            "delete the line and resume"
        ) from None


def is_known(value: float) -> bool:
    """Return whether a value of a row is a number."""
    return not math.isnan(value)
