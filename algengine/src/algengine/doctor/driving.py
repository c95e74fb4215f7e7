"""Do plans make sense in known motions, and if not: which correction makes sense of them?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from algengine.doctor.corrections import MAY_LEAVE, Correction, heading_corrections, place_corrections, read
from algengine.doctor.finding import Finding
from algengine.doctor.inputs import InputCorrection, input_corrections
from algengine.doctor.motions import Motion
from algengine.doctor.sense import Reading, misheading, misplacement
from algengine.doctor.show import Answered, Change, Stage, plans_of

CHECK = "plans in known motions"
SENSIBLE = 0.025
"""Cost up to which nothing is asked: a planner that keeps speed and turn has 0."""
CURABLE, CURED = 0.25, 0.2
"""Cost of headings, and share of it that may be left, where a correction of headings is believed for itself."""
STRANGE = 0.5
"""Cost above which plans make no sense; with a true mistake undone less is left."""


@dataclass(frozen=True)
class Cost:
    """How little sense plans make, mean over plans.

    Attributes:
        place: of positions, see `misplacement`.
        heading: of headings, see `misheading`.
    """

    place: float
    heading: float

    @property
    def total(self) -> float:
        """Both together."""
        return self.place + self.heading


@dataclass(frozen=True)
class Suspect:
    """A correction and what it leaves."""

    correction: Correction | InputCorrection
    cost: Cost
    readings: tuple[Reading, ...]


def examine_driving(stage: Stage, motions: Sequence[Motion], told: list[Answered]) -> list[Finding]:
    """Return what plans along motions tell.

    Args:
        stage: where the planner can be asked again.
        motions: that were driven.
        told: plans along them, from the second decision on.
    """
    readings = tuple(read(one) for one in told)
    cost = cost_of(readings)
    if cost.total <= SENSIBLE:
        return [Finding(CHECK, "ok", f"{len(told)} plans keep speed and turn (cost {cost.total:.3f})")]
    places = [_suspect(one, readings) for one in place_corrections(told)]
    headings = [_suspect(one, readings) for one in heading_corrections()]
    inputs = [_asked_again(stage, motions, one) for one in input_corrections()]
    guilty = _guilty([*places, *headings, *inputs], cost)
    if guilty is not None:
        return [_accuse(guilty, cost)]
    pair = _guilty_pair(places, cost)
    if pair is not None:
        return [_accuse(pair[0], cost), _accuse(pair[1], pair[0].cost)]
    return [_unexplained(cost, readings)]


def driven(stage: Stage, motions: Sequence[Motion], change: Change | None = None) -> list[Answered]:
    """Return the plans along motions, without those of first decisions, which have no decision before."""
    told: list[Answered] = []
    for motion in motions:
        answers = stage.drive(motion, change) if change else stage.drive(motion)
        told += plans_of(answers[1:])
    return told


def cost_of(readings: Sequence[Reading]) -> Cost:
    """Return the mean cost of plans."""
    return Cost(
        float(np.mean([misplacement(one) for one in readings])),
        float(np.mean([misheading(one) for one in readings])),
    )


def _suspect(correction: Correction, readings: Sequence[Reading]) -> Suspect:
    undone = tuple(correction.undo(one) for one in readings)
    return Suspect(correction, cost_of(undone), undone)


def _asked_again(stage: Stage, motions: Sequence[Motion], correction: InputCorrection) -> Suspect:
    readings = tuple(read(one) for one in driven(stage, motions, correction.change))
    cost = cost_of(readings) if readings else Cost(np.inf, np.inf)
    return Suspect(correction, cost, readings)


def _guilty(suspects: Sequence[Suspect], before: Cost) -> Suspect | None:
    """Return the correction that leaves least, if it helps and makes neither part worse."""
    helpful = [
        one
        for one in suspects
        if one.cost.total <= STRANGE
        and one.cost.place <= before.place + SENSIBLE
        and one.cost.heading <= before.heading + SENSIBLE
        and (
            one.cost.total <= one.correction.may_leave * before.total
            or _cures(one.cost.heading, before.heading)
        )
    ]
    return min(helpful, key=lambda one: one.cost.total, default=None)


def _cures(after: float, before: float) -> bool:
    """Return whether bad headings become good: they contradict the plan's own path, wherever that leads."""
    return before >= CURABLE and after <= CURED * before


def _guilty_pair(places: Sequence[Suspect], before: Cost) -> tuple[Suspect, Suspect] | None:
    """Return a correction of places and one of headings that help together, where none does alone."""
    pairs = []
    for place in places:
        if place.cost.place <= min(MAY_LEAVE * before.place, STRANGE):
            headings = [_suspect(one, place.readings) for one in heading_corrections()]
            pairs += [
                (place, one) for one in headings if one.cost.total <= min(MAY_LEAVE * before.total, STRANGE)
            ]
    return min(pairs, key=lambda pair: pair[1].cost.total, default=None)


def _accuse(suspect: Suspect, before: Cost) -> Finding:
    guilty = suspect.correction
    return Finding(
        CHECK,
        guilty.level,
        f"plans are off (cost {before.total:.2f}: places {before.place:.2f}, headings {before.heading:.2f}); with this "
        f"undone {suspect.cost.total:.2f} is left",
        "plans that roughly keep speed and turn",
        guilty.mistake,
        guilty.meaning,
        guilty.where,
    )


def _unexplained(cost: Cost, readings: Sequence[Reading]) -> Finding:
    def of(part: Callable[[Reading], float]) -> Reading:
        return max(readings, key=part)

    worst = of(lambda one: misplacement(one) + misheading(one))
    places = ", ".join(
        f"{value:.1f}" for value in worst.poses[min(len(worst.poses), round(1.0 / worst.dt)) - 1]
    )
    observed = (
        f"cost {cost.total:.2f} (places {cost.place:.2f}, headings {cost.heading:.2f}); largest "
        f"{worst.moment.motion.name}: x, y, yaw after about 1 s are {places}"
    )
    if cost.total < STRANGE:
        return Finding(
            CHECK, "ok", observed + "; no known mistake explains it, a planner may want to drive differently"
        )
    return Finding(
        CHECK,
        "warning",
        observed,
        "plans that roughly keep speed and turn",
        "unexplained",
        "plans make little sense and no known mistake explains them",
        "training of the planner, or a mistake this doctor does not know",
    )
