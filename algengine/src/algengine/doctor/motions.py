"""Known motions: what the ego did, does, and will do if it keeps its speed and its turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.observation import DrivingCommand
from simengine.geometry.se2 import to_local, to_parent

DECISION_DT = 0.5


@dataclass(frozen=True)
class Motion:
    """Motion along an arc, or along a straight line with acceleration.

    Attributes:
        name: in words.
        speed: at time 0 [m/s].
        yaw_rate: counter-clockwise [rad/s]; 0 where it accelerates.
        acceleration: [m/s^2]; 0 where it turns.
        start: (3,) pose in the world at time 0 [m, m, rad].
    """

    name: str
    speed: float
    yaw_rate: float = 0.0
    acceleration: float = 0.0
    start: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def curvature(self) -> float:
        """Of the path [1/m]."""
        return self.yaw_rate / self.speed if self.speed else 0.0

    @property
    def command(self) -> DrivingCommand:
        """Where the path goes."""
        if self.yaw_rate == 0.0:
            return DrivingCommand.FORWARD
        return DrivingCommand.LEFT if self.yaw_rate > 0.0 else DrivingCommand.RIGHT

    def at(self, time: float) -> Moment:
        """Return what holds at a time [s], which may lie before 0."""
        return Moment(self, time)


@dataclass(frozen=True)
class Moment:
    """A motion at one time.

    Attributes:
        motion: of which this is a moment.
        time: after its start [s].
    """

    motion: Motion
    time: float

    @property
    def speed(self) -> float:
        """Of the rear axle [m/s]."""
        return self.motion.speed + self.motion.acceleration * self.time

    @property
    def pose(self) -> np.ndarray:
        """(3,) of the rear axle in the world."""
        mean = self.motion.speed + 0.5 * self.motion.acceleration * self.time
        moved = arc(mean * self.time, self.motion.yaw_rate * self.time)
        return to_parent(np.array(self.motion.start), moved[None])[0]

    def earlier(self, seconds: float) -> Moment:
        """Return the moment some time before."""
        return Moment(self.motion, self.time - seconds)

    def seen_from(self, other: Moment) -> np.ndarray:
        """Return the pose (3,) of this moment in the ego frame of another."""
        return to_local(other.pose, self.pose[None])[0]

    def sensible(self, times: np.ndarray) -> np.ndarray:
        """Return the poses (N, 3) in the present ego frame after `times` (N,) of constant speed and turn."""
        times = np.asarray(times, np.float64)
        return arc(self.speed * times, self.motion.yaw_rate * times)


def arc(length: np.ndarray | float, angle: np.ndarray | float) -> np.ndarray:
    """Return poses (..., 3) at the end of arcs from the origin along +x that turn by `angle` [rad]."""
    length, angle = np.broadcast_arrays(np.asarray(length, np.float64), np.asarray(angle, np.float64))
    half = 0.5 * angle
    chord = length * np.sinc(half / np.pi)
    return np.stack([chord * np.cos(half), chord * np.sin(half), angle], axis=-1)


def standard_motions() -> tuple[Motion, ...]:
    """Return the motions of an examination: straight, turns, standing, changes of speed, at several places."""
    here, there, far = (0.0, 0.0, 0.0), (130.0, -45.0, 2.1), (-300.0, 220.0, -1.1)
    return (
        Motion("straight on at 8 m/s", 8.0, start=here),
        Motion("straight on at 8 m/s elsewhere", 8.0, start=there),
        Motion("straight on at 4 m/s", 4.0, start=far),
        Motion("straight on at 12 m/s", 12.0, start=there),
        Motion("turning left at 6 m/s", 6.0, yaw_rate=0.3, start=here),
        Motion("turning right at 6 m/s", 6.0, yaw_rate=-0.3, start=here),
        Motion("turning left at 5 m/s elsewhere", 5.0, yaw_rate=0.25, start=far),
        Motion("turning right at 5 m/s elsewhere", 5.0, yaw_rate=-0.25, start=there),
        Motion("turning left at 10 m/s elsewhere", 10.0, yaw_rate=0.2, start=there),
        Motion("turning right at 3 m/s elsewhere", 3.0, yaw_rate=-0.3, start=far),
        Motion("standing", 0.0, start=here),
        Motion("standing elsewhere", 0.0, start=far),
        Motion("accelerating at 3 m/s^2", 6.0, acceleration=3.0, start=here),
        Motion("accelerating at 2.5 m/s^2", 9.0, acceleration=2.5, start=far),
        Motion("braking at 4 m/s^2", 14.0, acceleration=-4.0, start=there),
        Motion("braking at 3 m/s^2", 9.0, acceleration=-3.0, start=here),
    )
