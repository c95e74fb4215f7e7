"""Corrections of plans: each undoes one mistake of convention, so the one that helps names it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from algengine.doctor.finding import Level
from algengine.doctor.motions import DECISION_DT
from algengine.doctor.sense import Reading
from algengine.doctor.show import Answered
from simengine.datatypes.vehicle import VehicleParams
from simengine.geometry.se2 import rotate, shift_forward, to_local, to_parent

MAY_LEAVE = 0.4
Undo = Callable[[Reading], Reading]
_LEAST_TURN = 0.2
_OUTPUT = "where the planner's output becomes Plan.poses"
_FRAME = (
    "the transform from the planner's frame to the ego frame (x forward, y left, rear axle, present decision)"
)
_HEADING = "where headings become Plan.poses[:, 2] (radians, counter-clockwise, 0 straight ahead)"
_UNITS = "units of speeds read from the observation (m/s) and of Plan.poses (m)"
_RATE = "Plan.dt and the rate at which the planner's poses are made"


@dataclass(frozen=True)
class Correction:
    """One mistake and what undoes it.

    Attributes:
        mistake: id of the mistake.
        meaning: the mistake in words.
        where: where to look for it.
        undo: gives a reading without it.
        level: `warning` for what is inexact rather than wrong.
        may_leave: share of the cost that it may leave to be believed; less for what a planner's will resembles.
    """

    mistake: str
    meaning: str
    where: str
    undo: Undo
    level: Level = "error"
    may_leave: float = MAY_LEAVE


def read(answered: Answered) -> Reading:
    """Return a plan as the contract says it is meant."""
    return Reading(answered.plan.poses, answered.plan.dt, answered.moment)


def place_corrections(answers: Sequence[Answered]) -> list[Correction]:
    """Return the corrections of positions; some depend on factors found in the answers."""
    return [*_axes(), *_scales(), *_rates(), *_frames(), *_sequences(), *_side_scale(answers)]


def heading_corrections() -> list[Correction]:
    """Return the corrections of headings."""
    quarter = 0.5 * np.pi

    def yaw(mistake: str, meaning: str, change: Callable[[np.ndarray], np.ndarray]) -> Correction:
        return Correction(mistake, meaning, _HEADING, _headings(lambda r: change(r.poses[:, 2])))

    return [
        yaw("heading-sign", "headings have the wrong sign (clockwise)", np.negative),
        yaw("heading-degrees", "headings in degrees instead of radians", np.radians),
        yaw("heading-quarter-left", "headings are 90 degrees too large", lambda h: h - quarter),
        yaw("heading-quarter-right", "headings are 90 degrees too small", lambda h: h + quarter),
        yaw("heading-half-turn", "headings are 180 degrees off", lambda h: h + np.pi),
        yaw("heading-compass", "headings are measured from the left, clockwise", lambda h: quarter - h),
        yaw("heading-increments", "headings are changes since the pose before", np.cumsum),
        Correction(
            "heading-world",
            "headings in the world instead of the ego frame",
            _HEADING,
            _headings(lambda r: r.poses[:, 2] - r.moment.pose[2]),
        ),
        Correction(
            "heading-half-step",
            "headings are those of the way from the pose before: half a step old",
            _HEADING,
            _headings(_half_a_step_on),
            "warning",
        ),
        Correction("heading-zero", "headings stay 0 in turns", _HEADING, _headings(_from_path)),
    ]


def _axes() -> list[Correction]:
    return [
        Correction("axes-swapped", "x and y are swapped", _OUTPUT, _columns(lambda x, y: (y, x))),
        Correction("y-right", "y points right instead of left", _OUTPUT, _columns(lambda x, y: (x, -y))),
        Correction(
            "clockwise-frame",
            "y points right and headings are clockwise",
            _OUTPUT,
            lambda r: replace(r, poses=r.poses * [1.0, -1.0, -1.0]),
        ),
        Correction("x-backward", "x points backward", _OUTPUT, _columns(lambda x, y: (-x, y))),
        Correction(
            "turned-around", "both axes point the wrong way", _OUTPUT, _columns(lambda x, y: (-x, -y))
        ),
        Correction("x-right", "x points right and y forward", _OUTPUT, _columns(lambda x, y: (y, -x))),
    ]


def _frames() -> list[Correction]:
    length = VehicleParams().rear_axle_to_center
    return [
        Correction(
            "box-centre", "poses of the box centre instead of the rear axle", _FRAME, _moved_back(length)
        ),
        Correction(
            "box-centre-frame",
            "the ego frame lies at the box centre instead of the rear axle",
            _FRAME,
            lambda r: replace(r, poses=shift_forward(to_parent(np.array([length, 0, 0]), r.poses), -length)),
            may_leave=0.2,
        ),
        Correction(
            "world-frame",
            "poses in the world frame instead of the ego frame",
            _FRAME,
            lambda r: replace(r, poses=to_local(r.moment.pose, r.poses)),
        ),
        Correction(
            "world-axes",
            "axes of the world, origin at the ego",
            _FRAME,
            lambda r: _turned(r, -r.moment.pose[2]),
        ),
        Correction(
            "turned-twice",
            "the ego's heading is subtracted once too often",
            _FRAME,
            lambda r: _turned(r, r.moment.pose[2]),
        ),
        Correction(
            "world-origin",
            "the ego's position is added",
            _FRAME,
            lambda r: replace(r, poses=r.poses - [*r.moment.pose[:2], 0.0]),
        ),
        Correction(
            "previous-frame",
            "poses in the ego frame of the decision before",
            _FRAME,
            lambda r: replace(r, poses=to_local(r.moment.seen_from(r.moment.earlier(DECISION_DT)), r.poses)),
        ),
    ]


def _sequences() -> list[Correction]:
    """Return the corrections of which pose is which, and of steps in the place of poses."""
    return [
        Correction(
            "one-step-late",
            "the plan of the decision before, one step late",
            "queues, caches and double buffers between observation and reply",
            lambda r: replace(r, moment=r.moment.earlier(DECISION_DT)),
        ),
        Correction(
            "present-first",
            "the first pose is the present one; it should be dt later",
            _OUTPUT,
            lambda r: replace(r, poses=r.poses[1:]) if len(r.poses) > 1 else r,
        ),
        Correction("reversed", "last pose first", _OUTPUT, lambda r: replace(r, poses=r.poses[::-1])),
        Correction(
            "increments", "each pose relative to the one before, not to the present", _OUTPUT, _chained
        ),
        Correction(
            "increments-summed",
            "steps in ego axes that were not summed up",
            _OUTPUT,
            lambda r: replace(r, poses=np.cumsum(r.poses, axis=0)),
        ),
        Correction(
            "summed-twice",
            "poses that were summed up although they were no steps",
            _OUTPUT,
            lambda r: replace(r, poses=np.diff(r.poses, axis=0, prepend=0.0)),
        ),
    ]


def _columns(change: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]) -> Undo:
    return lambda r: replace(
        r, poses=np.stack([*change(r.poses[:, 0], r.poses[:, 1]), r.poses[:, 2]], axis=-1)
    )


def _headings(change: Callable[[Reading], np.ndarray]) -> Undo:
    return lambda r: replace(r, poses=np.column_stack([r.poses[:, :2], change(r)]))


def _scaled(factor: float) -> Undo:
    return lambda r: replace(r, poses=r.poses / [factor, factor, 1.0])


def _scales() -> list[Correction]:
    factors = (
        ("centimetres", 100.0, "positions in centimetres"),
        ("millimetres", 1000.0, "positions in millimetres"),
        ("kilometres", 0.001, "positions in kilometres"),
        ("feet", 1 / 0.3048, "positions in feet"),
        ("speed-kmh", 3.6, "km/h where m/s are meant: plans are 3.6 times too long"),
        ("speed-divided", 1 / 3.6, "m/s divided by 3.6: plans are 3.6 times too short"),
    )
    return [Correction(name, meaning, _UNITS, _scaled(factor)) for name, factor, meaning in factors]


def _rates() -> list[Correction]:
    def at(factor: float) -> Undo:
        return lambda r: replace(r, dt=r.dt * factor)

    return [
        Correction(
            "rate-5-slow",
            "poses are 5 times as far apart in time as dt says (0.5 s, not 0.1 s)",
            _RATE,
            at(5),
        ),
        Correction(
            "rate-5-fast", "poses are 5 times as close in time as dt says (0.1 s, not 0.5 s)", _RATE, at(0.2)
        ),
    ]


def _side_scale(answers: Sequence[Answered]) -> list[Correction]:
    """Return a correction of y by the factor that fits best, if there is one."""
    turns = [read(one) for one in answers if one.moment.motion.yaw_rate]
    if not turns:
        return []
    side = np.concatenate([one.poses[:, 1] for one in turns])
    expected = np.concatenate([one.moment.sensible(one.times)[:, 1] for one in turns])
    factor = float(side @ expected / (expected @ expected))
    if not 0.1 < factor < 10.0 or abs(np.log(factor)) < 0.15:
        return []
    undo = _columns(lambda x, y: (x, y / factor))
    return [Correction("y-scaled", f"y is {factor:.2f} times too large, x is right", _UNITS, undo)]


def _moved_back(length: float) -> Undo:
    return lambda r: replace(r, poses=shift_forward(r.poses, -length))


def _turned(reading: Reading, angle: float) -> Reading:
    poses = np.column_stack([rotate(reading.poses[:, :2], angle), reading.poses[:, 2] + angle])
    return replace(reading, poses=poses)


def _chained(reading: Reading) -> Reading:
    yaw = np.cumsum(reading.poses[:, 2])
    before = np.concatenate([[0.0], yaw[:-1]])
    places = np.cumsum(rotate(reading.poses[:, :2], before), axis=0)
    return replace(reading, poses=np.column_stack([places, yaw]))


def _half_a_step_on(reading: Reading) -> np.ndarray:
    yaw = reading.poses[:, 2]
    return yaw + 0.5 * np.gradient(yaw) if len(yaw) > 1 else yaw


def _from_path(reading: Reading) -> np.ndarray:
    """Return the headings, or those of the path where all are 0 and it turns, but not back."""
    yaw = reading.poses[:, 2]
    if len(yaw) < 2 or np.abs(yaw).max() > 1e-3:
        return yaw
    places = np.concatenate([np.zeros((1, 2)), reading.poses[:, :2]])
    steps = np.gradient(places, axis=0)[1:]
    direction = np.arctan2(steps[:, 1], steps[:, 0])
    return direction if _LEAST_TURN < np.abs(direction).max() < 0.5 * np.pi else yaw
