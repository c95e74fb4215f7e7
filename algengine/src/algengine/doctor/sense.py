"""How little sense plans make, as numbers: distance from a sensible drive, and heading against their own path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from algengine.doctor.motions import Moment
from simengine.geometry.angles import wrap

HORIZON = 3.0
_SLACK, _SIDE_SLACK, _START_SLACK = 1.0, 0.3, 3.0
_CAP = 5.0
_HEADING_SCALE = 0.3
_SHORTEST_CHORD = 0.4


@dataclass(frozen=True)
class Reading:
    """A plan as one understands it.

    Attributes:
        poses: (N, 3) in the ego frame.
        dt: between poses [s].
        moment: for which it was made.
    """

    poses: np.ndarray
    dt: float
    moment: Moment

    @property
    def times(self) -> np.ndarray:
        """(N,) of the poses, after the moment [s]."""
        return self.dt * np.arange(1, len(self.poses) + 1)


def misplacement(reading: Reading) -> float:
    """Return how far a plan lies from any sensible one: 0 for none, about 1 for a wrong axis, at most 5.

    Sensible is to keep speed and turn, with some freedom that grows with the square of time: 1 m/s^2 more or less than
    the present acceleration (3 m/s^2 where the ego stands, it may start), 0.3 m/s^2 to the side. Distances are relative
    to the distance covered. Early poses count as much as late ones, each octave of time the same, because mistakes of
    frame and delay show early.
    """
    near = reading.times <= HORIZON + 1e-6
    near[0] = True
    times, moment = reading.times[near], reading.moment
    expected = moment.sensible(times)
    gap = reading.poses[near, :2] - expected[:, :2]
    cos, sin = np.cos(expected[:, 2]), np.sin(expected[:, 2])
    ahead, aside = cos * gap[:, 0] + sin * gap[:, 1], cos * gap[:, 1] - sin * gap[:, 0]
    bend = 0.5 * times**2
    slack = (_SLACK if moment.speed > 0.5 else _START_SLACK) + abs(moment.motion.acceleration)
    over = np.maximum(np.abs(ahead) - slack * bend, 0.0)
    beside = np.maximum(np.abs(aside) - _SIDE_SLACK * bend, 0.0)
    size = 0.3 + 0.15 * moment.speed * times
    return float(np.average(np.minimum(np.hypot(over, beside) / size, _CAP), weights=1.0 / times))


def misheading(reading: Reading) -> float:
    """Return how far headings differ from the direction in which the plan's own positions go; 1 means 0.3 rad.

    A chord between the neighbours of a pose has the direction of an arc at that pose. Where the plan hardly moves
    there is no direction and nothing is said.
    """
    poses = np.concatenate([np.zeros((1, 3)), reading.poses])
    chord = poses[2:, :2] - poses[:-2, :2]
    moving = np.hypot(chord[:, 0], chord[:, 1]) > _SHORTEST_CHORD
    if not moving.any():
        return 0.0
    off = np.abs(wrap(poses[1:-1, 2] - np.arctan2(chord[:, 1], chord[:, 0])))[moving]
    return float(np.minimum(off / _HEADING_SCALE, _CAP).mean())
