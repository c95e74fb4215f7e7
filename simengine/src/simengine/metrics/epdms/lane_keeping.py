"""Lane keeping (LK): 0 after too long a time beside the centre line, crossings left out."""

from __future__ import annotations

import numpy as np
from numba import njit

from simengine.metrics.pdm.ego_geometry import EgoGeometry
from simengine.metrics.pdm.parameters import PdmParameters
from simengine.rows import for_rows

BLOCK = 8
"""Segments that share one bounding box; long lines are mostly far away."""


def lane_keeping(
    ego: EgoGeometry,
    centerline: np.ndarray,
    center_in_intersection: np.ndarray,
    *,
    dt: float,
    parameters: PdmParameters,
    threads: int | None = None,
) -> np.ndarray:
    """Return LK (P,), NaN where a line of fewer than two points says nothing.

    States whose centre is inside an intersection neither count nor end the time beside the line.

    Args:
        ego: geometry of P sequences of S states.
        centerline: (N, 2 or more columns) line in world.
        center_in_intersection: (P, S) area flag of the same states.
        dt: time between states [s].
        parameters: `lane_keeping_offset` and `lane_keeping_time`.
        threads: see `for_rows`.
    """
    limit = parameters.lane_keeping_offset
    allowed = int(np.ceil(parameters.lane_keeping_time / dt - 1e-9))
    line = np.asarray(centerline, dtype=np.float64)[:, :2]
    if len(line) < 2:
        return np.full(ego.count, np.nan)
    segments = np.ascontiguousarray(np.hstack([line[:-1], line[1:]]))
    blocks = _block_bounds(segments, limit)
    score = np.ones(ego.count)
    for_rows(
        lambda a, b: _keep(
            ego.center_x[a:b],
            ego.center_y[a:b],
            center_in_intersection[a:b],
            segments,
            blocks,
            limit,
            allowed,
            score[a:b],
        ),
        ego.count,
        threads,
    )
    return score


def _block_bounds(segments: np.ndarray, margin: float) -> np.ndarray:
    starts = np.arange(0, len(segments), BLOCK)
    low = np.minimum.reduceat(np.minimum(segments[:, :2], segments[:, 2:]), starts) - margin
    high = np.maximum.reduceat(np.maximum(segments[:, :2], segments[:, 2:]), starts) + margin
    return np.hstack([low, high])


@njit(cache=True, nogil=True, error_model="numpy")
def _keep(x, y, crossing, segments, blocks, limit, allowed, score):  # type: ignore[no-untyped-def]
    for p in range(x.shape[0]):
        beside = 0
        for s in range(x.shape[1]):
            if crossing[p, s]:
                continue
            if _near_line(x[p, s], y[p, s], segments, blocks, limit):
                beside = 0
            else:
                beside += 1
                if beside == allowed:
                    score[p] = 0.0
                    break


@njit(cache=True, nogil=True, error_model="numpy")
def _near_line(x, y, segments, blocks, limit):  # type: ignore[no-untyped-def]
    for k in range(blocks.shape[0]):
        if x < blocks[k, 0] or y < blocks[k, 1] or x > blocks[k, 2] or y > blocks[k, 3]:
            continue
        for i in range(k * BLOCK, min((k + 1) * BLOCK, segments.shape[0])):
            ax, ay = segments[i, 0], segments[i, 1]
            dx, dy = segments[i, 2] - ax, segments[i, 3] - ay
            squared = dx * dx + dy * dy
            at = 0.0
            if squared > 0.0:
                at = min(max(((x - ax) * dx + (y - ay) * dy) / squared, 0.0), 1.0)
            if np.hypot(x - ax - at * dx, y - ay - at * dy) <= limit:
                return True
    return False
