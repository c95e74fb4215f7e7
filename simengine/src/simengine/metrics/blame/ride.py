"""Blame for discomfort."""

from __future__ import annotations

import numpy as np

from simengine.metrics.blame.blame import Blame
from simengine.metrics.pdm.comfort import BOUNDS, Comfort

UNITS = {
    "longitudinal acceleration": "m/s^2",
    "lateral acceleration": "m/s^2",
    "jerk": "m/s^3",
    "longitudinal jerk": "m/s^3",
    "yaw acceleration": "rad/s^2",
    "yaw rate": "rad/s",
}


def discomfort(sub_score: str, found: Comfort, row: int, dt: float, past: int = 0) -> Blame:
    """Return which series left its bounds first, by how much, and which others did.

    Args:
        sub_score: its name.
        found: the smoothed series of a batch.
        row: row of the batch.
        dt: time between samples [s].
        past: how many samples lie before the first decision.
    """
    frame, check = int(found.first_frame[row]), int(found.first_check[row])
    broken = {
        name: _excess(name, found.series[row, k], dt, past)
        for k, name in enumerate(BOUNDS)
        if not found.within[row, k]
    }
    name = list(BOUNDS)[check]
    first, unit = broken.pop(name), UNITS[name]
    numbers = {"series": name, "unit": unit, **first, "others": broken}
    account = (
        f"{name} {first['value']:.2f} {unit} where {first['bound']:.2f} is the bound, worst {first['extreme']:.2f} "
        f"at {first['extreme_time']:.1f} s"
    )
    if broken:
        also = [
            f"{k} ({v['extreme']:.2f} {UNITS[k]} at {v['extreme_time']:.1f} s)" for k, v in broken.items()
        ]
        account += f"; also {', '.join(also)}"
    time = round((frame - past) * dt, 6)
    return Blame(sub_score, time, detail=f"{name} out of bounds", account=account, numbers=numbers)


def _excess(name: str, series: np.ndarray, dt: float, past: int) -> dict[str, float]:
    """Return value and bound at the first violation, and the sample farthest beyond its bound."""
    low, high = BOUNDS[name]
    beyond = np.maximum(series - high, low - series)
    first, extreme = int((beyond >= 0.0).argmax()), int(beyond.argmax())
    return {
        "value": float(series[first]),
        "bound": high if series[first] >= high else low,
        "time": round((first - past) * dt, 6),
        "extreme": float(series[extreme]),
        "extreme_time": round((extreme - past) * dt, 6),
    }
