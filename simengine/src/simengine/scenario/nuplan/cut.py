"""The stretch of a log around a token that becomes a scenario."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.errors import ScenarioFormatError
from simengine.scenario.nuplan.log import SWEEP_DT, Sweeps
from simengine.scenario.nuplan.options import NuplanOptions
from simengine.scenario.timing import HORIZON, nominal_step

_LARGEST_JITTER = 0.25


@dataclass(frozen=True)
class Cut:
    """T frames of a log.

    Attributes:
        tokens: their sweeps.
        timestamps_us: (T,) int64.
        dt: time between them [s].
        initial_frame: which of them is the token asked for.
    """

    tokens: tuple[str, ...]
    timestamps_us: np.ndarray
    dt: float
    initial_frame: int


def cut_around(sweeps: Sweeps, token: str, options: NuplanOptions) -> Cut:
    """Return the frames around `token`, every `sample_interval`-th sweep counted from it both ways.

    Near the start of a log there is less history than asked for, near its end less future. A cut does not reach across
    missing sweeps.

    Raises:
        ScenarioFormatError: the log does not hold the token, or less than 4 s of it follow.
    """
    at = sweeps.index.get(token)
    if at is None:
        raise ScenarioFormatError(
            f"token {token} is no sweep of the log, expected one of {len(sweeps.tokens)}"
        )
    stride = options.sample_interval
    before = min(at, round(options.history / SWEEP_DT)) // stride
    after = min(len(sweeps.tokens) - 1 - at, round(options.future / SWEEP_DT)) // stride
    places = at + stride * np.arange(-before, after + 1)
    first, stop = _even_part(sweeps.timestamps_us[places], before, stride * SWEEP_DT)
    places, times = places[first:stop], sweeps.timestamps_us[places[first:stop]]
    left = (times[-1] - sweeps.timestamps_us[at]) * 1e-6
    if left < HORIZON - 0.5 * stride * SWEEP_DT:
        raise ScenarioFormatError(
            f"{left:.1f} s of even log follow token {token}, expected {HORIZON} s or more to score: leave it out"
        )
    return Cut(tuple(sweeps.tokens[place] for place in places), times, nominal_step(times), before - first)


def _even_part(times: np.ndarray, inside: int, step: float) -> tuple[int, int]:
    """Return the largest range [first, stop) around `inside` without a gap."""
    broken = np.flatnonzero(np.abs(np.diff(times) * 1e-6 - step) > _LARGEST_JITTER * step)
    first = max((gap + 1 for gap in broken if gap < inside), default=0)
    stop = min((gap + 1 for gap in broken if gap >= inside), default=len(times))
    return int(first), int(stop)
