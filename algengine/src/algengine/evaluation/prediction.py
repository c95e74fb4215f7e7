"""What a planner chose for a token, and how far that is from what was driven."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STRIDE = 5
"""Poses from one compared pose to the next: plans have 10 Hz, the published errors 2 Hz."""

NAN = float("nan")


@dataclass(frozen=True)
class Prediction:
    """The choice for one token.

    Attributes:
        token: of the frame or scenario.
        log_name: drive, if known.
        plan_index: row of the vocabulary.
        poses: T poses x, y, yaw in the ego frame at 10 Hz, as nested lists.
        ade_4s: mean distance from the driven path over 4 s at 2 Hz [m]; NaN if that was not recorded to its end.
        fde_4s: distance after 4 s [m].
        error: why there is no plan.
    """

    token: str
    log_name: str = ""
    plan_index: int = -1
    poses: tuple[tuple[float, ...], ...] = ()
    ade_4s: float = NAN
    fde_4s: float = NAN
    error: str = ""


def displacement(plan: np.ndarray, driven: np.ndarray, valid: np.ndarray) -> tuple[float, float]:
    """Return the average and the final displacement error [m], NaN where the future was not recorded.

    The published errors do not look at what was recorded.

    Args:
        plan: (T, 3) chosen plan.
        driven: (T, 3) driven future.
        valid: (T,) recorded poses.
    """
    if not valid[STRIDE - 1 :: STRIDE].all():
        return NAN, NAN
    gap = np.linalg.norm(plan[STRIDE - 1 :: STRIDE, :2] - driven[STRIDE - 1 :: STRIDE, :2], axis=-1)
    return float(gap.mean()), float(gap[-1])
