"""All failures of one scored drive, most severe first."""

from __future__ import annotations

from collections.abc import Mapping

from simengine.metrics.blame.areas import DIRECTION, OFF_ROAD, off_road, wrong_way
from simengine.metrics.blame.blame import Blame
from simengine.metrics.blame.contacts import COLLISION, TTC, collisions, too_close
from simengine.metrics.blame.drive import Drive
from simengine.metrics.blame.progress import FULL, PROGRESS, little_progress
from simengine.metrics.blame.ride import discomfort

COMFORT = "comfort"


def blames_of(values: Mapping[str, float], drive: Drive) -> tuple[Blame, ...]:
    """Return everything that cost points: multiplicative sub-scores by time, then the others, slight losses last.

    Args:
        values: sub-scores by name; missing ones (NaN) are never blamed.
        drive: what they were made of.
    """
    hard, soft = [], []
    if values[COLLISION] < 1.0:
        hard += collisions(drive)
    if values[OFF_ROAD] < 1.0:
        hard.append(off_road(drive))
    if values[TTC] < 1.0:
        soft.append(too_close(drive))
    if values[COMFORT] < 1.0:
        soft.append(discomfort(COMFORT, drive.batch.comfort_detail, drive.row, drive.scene.dt))
    if values[DIRECTION] < 1.0:
        soft.append(wrong_way(drive))
    if values[PROGRESS] < FULL:
        soft.append(little_progress(drive, values, _counted_with(values, drive)))
    return in_order(hard, soft)


def _counted_with(values: Mapping[str, float], drive: Drive) -> dict[str, float]:
    """Return the multiplicative sub-scores that lower progress, too; in some modes only a failure does."""
    lost = {name: values[name] for name in (COLLISION, OFF_ROAD) if values[name] < 1.0}
    if drive.scene.parameters.progress_rule == "reference":
        lost = {name: value for name, value in lost.items() if value == 0.0}
    return lost


def in_order(hard: list[Blame], soft: list[Blame]) -> tuple[Blame, ...]:
    """Return hard failures by time, then soft ones as given, slight losses last."""
    ordered = sorted(hard, key=lambda blame: blame.time) + soft
    return tuple(sorted(ordered, key=lambda blame: blame.slight))
