"""Ego progress (EP): metres along the centre line, and their share of what was possible."""

from __future__ import annotations

import numpy as np
from numba import njit

from simengine.geometry import polyline
from simengine.metrics.pdm.ego_geometry import EgoGeometry
from simengine.metrics.pdm.parameters import PdmParameters
from simengine.rows import for_rows


def raw_progress(ego: EgoGeometry, centerline: np.ndarray, threads: int | None = None) -> np.ndarray:
    """Return the progress (P,) [m] of the box centre from the first to the last state, at least 0.

    Args:
        ego: geometry of P sequences.
        centerline: (N, 2 or more columns) line in world; projections take the nearest point and saturate at the
            ends. A line of fewer than two points says nothing: progress is 0.
        threads: see `for_rows`.
    """
    line = np.ascontiguousarray(centerline[:, :2], dtype=np.float64)
    along, progress = polyline.arc_length(line) if len(line) else np.zeros(0), np.zeros(ego.count)
    ends = np.stack([ego.center_x[:, [0, -1]], ego.center_y[:, [0, -1]]], axis=-1)
    if len(line) > 1:
        for_rows(lambda a, b: _advance(ends[a:b], line, along, progress[a:b]), ego.count, threads)
    return progress


@njit(cache=True, nogil=True, error_model="numpy")
def locate(x, y, line, along):  # type: ignore[no-untyped-def]
    """Arc length of the point of a polyline nearest to (x, y), the first of several.

    Distances to the inside of a segment come from the cross product: on lines of very short segments, the
    distance to the foot of the perpendicular is too coarse to tell neighbours apart.
    """
    nearest, at = np.inf, 0.0
    for i in range(len(line) - 1):
        dx, dy = line[i + 1, 0] - line[i, 0], line[i + 1, 1] - line[i, 1]
        px, py = x - line[i, 0], y - line[i, 1]
        length2 = dx * dx + dy * dy
        share = (px * dx + py * dy) / length2 if length2 > 0.0 else 0.0
        if share <= 0.0:
            share, gap = 0.0, np.hypot(px, py)
        elif share >= 1.0:
            share, gap = 1.0, np.hypot(x - line[i + 1, 0], y - line[i + 1, 1])
        else:
            gap = abs(px * dy - py * dx) / np.sqrt(length2)
        if gap < nearest:
            nearest, at = gap, along[i] + share * (along[i + 1] - along[i])
    return at


@njit(cache=True, nogil=True, error_model="numpy")
def _advance(ends, line, along, progress):  # type: ignore[no-untyped-def]
    for p in range(len(ends)):
        start = locate(ends[p, 0, 0], ends[p, 0, 1], line, along)
        stop = locate(ends[p, 1, 0], ends[p, 1, 1], line, along)
        progress[p] = max(stop - start, 0.0)


def ego_progress(raw: np.ndarray, multiplier: np.ndarray, parameters: PdmParameters) -> np.ndarray:
    """Return EP (P,) in [0, 1] by the rule of the mode; see `PdmParameters.progress_rule`.

    Where not even the best gets farther than the threshold, everyone has full progress.

    Args:
        raw: (P,) progress [m]; row 0 is the reference where the rule has one.
        multiplier: (P,) product of the multiplicative sub-scores.
        parameters: threshold and rule.
    """
    failed = multiplier == 0.0
    if parameters.progress_rule == "masked_best":
        masked = raw * multiplier
        best = masked.max()
        return masked / best if best > parameters.progress_threshold else np.where(failed, 0.0, 1.0)
    possible = (
        np.maximum(raw[0], raw) if "reference" in parameters.progress_rule else np.full_like(raw, raw.max())
    )
    far = possible > parameters.progress_threshold
    share = np.divide(raw, possible, out=np.ones_like(raw), where=far)
    # The published rules multiply by both sub-scores; where a hit counts once, a failure alone takes all.
    return share * (np.where(failed, 0.0, 1.0) if parameters.progress_rule == "reference" else multiplier)
