"""Clocks of logs: rate, timestamps and the frame of the first decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simengine.errors import ScenarioFormatError

HISTORY = 1.5
"""History before the first decision [s]."""
HORIZON = 4.0
"""Time that must follow the first decision [s]."""

_USUAL_STEPS = (0.05, 0.1, 0.2, 0.5)
_LARGEST_JITTER = 0.25


@dataclass(frozen=True)
class Clock:
    """Times of the frames of a log.

    Attributes:
        dt: nominal time between frames [s].
        timestamps_us: (T,) int64, strictly rising, not negative.
    """

    dt: float
    timestamps_us: np.ndarray

    @property
    def frames(self) -> int:
        """Number of frames T."""
        return len(self.timestamps_us)


def nominal_step(timestamps_us: np.ndarray) -> float:
    """Return the time between frames [s], rounded to a usual rate within 1 %.

    Raises:
        ScenarioFormatError: the times do not rise evenly.
    """
    steps = np.diff(timestamps_us) * 1e-6
    if not len(steps):
        raise ScenarioFormatError("the log has one frame, expected at least 5.5 s of frames")
    dt = float(np.median(steps))
    if dt <= 0 or np.abs(steps - dt).max() > _LARGEST_JITTER * dt:
        raise ScenarioFormatError(
            f"times between frames run from {steps.min():.4f} s to {steps.max():.4f} s, expected an even rate: "
            "resample the log before converting it"
        )
    usual = [step for step in _USUAL_STEPS if abs(dt - step) < 0.01 * step]
    return usual[0] if usual else round(dt, 6)


def read_clock(metadata: Mapping, length: int | None) -> Clock:
    """Return the clock of a scene from its microseconds, nanoseconds or seconds, whichever is best."""
    if "timestamps_us" in metadata:
        times = np.asarray(metadata["timestamps_us"], np.int64)
    elif "timestamps_ns" in metadata:
        times = np.asarray(metadata["timestamps_ns"], np.int64) // 1000
    else:
        seconds = np.asarray(metadata["ts"], np.float64)
        times = np.round((seconds - min(seconds[0], 0.0)) * 1e6).astype(np.int64)
    if length is not None and len(times) != int(length):
        raise ScenarioFormatError(f"{len(times)} times for length {length}, expected one for each frame")
    return Clock(nominal_step(times), times)


def initial_frame(clock: Clock, stated: int | None = None) -> int:
    """Return the frame of the first decision: the stated one if it fits, else 1.5 s into the log.

    Args:
        clock: times of the log.
        stated: what the source calls its current frame, if anything.

    Raises:
        ScenarioFormatError: fewer than 4 s follow the first 1.5 s.
    """
    history, horizon = round(HISTORY / clock.dt), round(HORIZON / clock.dt)
    last = clock.frames - 1 - horizon
    if stated is not None and history <= int(stated) <= last:
        return int(stated)
    if history > last:
        raise ScenarioFormatError(
            f"the log is {(clock.frames - 1) * clock.dt:.1f} s long, expected at least {HISTORY + HORIZON} s "
            f"({HISTORY} s of history and {HORIZON} s to score): use a longer cut"
        )
    return history
