"""Traffic light compliance (TLC): 0 as soon as the ego touches a lane connector of its route that shows red."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from simengine.geometry.overlap import box_overlap
from simengine.metrics.pdm.ego_geometry import EgoGeometry
from simengine.metrics.pdm.polygon_index import strictly_inside
from simengine.rows import for_rows


@dataclass(frozen=True)
class RedLights:
    """Lane connectors of the uncorrected route that show red at some time.

    Attributes:
        ids: Q connector ids.
        outlines: Q polygon rings (M, 2) in world, not closed.
        red: (Q, S) bool, whether a connector shows red when state s is reached.
    """

    ids: tuple[str, ...]
    outlines: tuple[np.ndarray, ...]
    red: np.ndarray

    @classmethod
    def none(cls, num_states: int) -> RedLights:
        """Return no red light at any of `num_states` states."""
        return cls((), (), np.zeros((0, num_states), bool))


def traffic_light_compliance(
    ego: EgoGeometry, lights: RedLights, threads: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return TLC (P,) and the first frame on red (P,), infinity without one; touching counts.

    Args:
        ego: geometry of P sequences of S states.
        lights: the red connectors at the times of these states.
        threads: see `for_rows`.
    """
    first = np.full(ego.count, np.inf)
    if lights.red.any():
        rings = [np.asarray(ring, dtype=np.float64)[:, :2] for ring in lights.outlines]
        edges = np.concatenate([np.hstack([ring, np.roll(ring, -1, axis=0)]) for ring in rings])
        start = np.concatenate([[0], np.cumsum([len(ring) for ring in rings])])
        bounds = np.array([[*ring.min(axis=0), *ring.max(axis=0)] for ring in rings])
        half = np.array([ego.half_length, ego.half_width])
        pose = np.stack([ego.center_x, ego.center_y, ego.cos, ego.sin])
        red = np.ascontiguousarray(lights.red)
        for_rows(
            lambda a, b: _first_on_red(pose[:, a:b], half, edges, start, bounds, red, first[a:b]),
            ego.count,
            threads,
        )
    return np.where(np.isfinite(first), 0.0, 1.0), first


@njit(cache=True, nogil=True, error_model="numpy")
def _first_on_red(pose, half, edges, start, bounds, red, first):  # type: ignore[no-untyped-def]
    reach = np.hypot(half[0], half[1])
    for p in range(pose.shape[1]):
        for s in range(pose.shape[2]):
            x, y, cos, sin = pose[0, p, s], pose[1, p, s], pose[2, p, s], pose[3, p, s]
            hit = False
            for q in range(red.shape[0]):
                if not red[q, s] or x + reach < bounds[q, 0] or x - reach > bounds[q, 2]:
                    continue
                if y + reach < bounds[q, 1] or y - reach > bounds[q, 3]:
                    continue
                if _touches(x, y, cos, sin, half, edges, start[q], start[q + 1]):
                    hit = True
                    break
            if hit:
                first[p] = s
                break


@njit(cache=True, nogil=True, error_model="numpy")
def _touches(x, y, cos, sin, half, edges, begin, end):  # type: ignore[no-untyped-def]
    # A box that no edge of the outline touches is whole inside or whole outside, and so is its centre.
    for e in range(begin, end):
        ax, ay, bx, by = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
        length = np.hypot(bx - ax, by - ay)
        if length == 0.0:
            continue
        along, across = (bx - ax) / length, (by - ay) / length
        middle_x, middle_y = 0.5 * (ax + bx), 0.5 * (ay + by)
        if box_overlap(
            x, y, cos, sin, half[0], half[1], middle_x, middle_y, along, across, 0.5 * length, 0.0
        ):
            return True
    return strictly_inside(x, y, edges, begin, end)
