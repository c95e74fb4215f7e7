"""The search for what is in the way along paths, the slow way: one place after another, without prediction."""

import numpy as np

from simengine.agents.paths import PathSet
from simengine.geometry import boxes


def find_leads_slow(
    paths: PathSet,
    rows: np.ndarray,
    s: np.ndarray,
    half_size: np.ndarray,
    obstacles: np.ndarray,
    ignore: np.ndarray,
    ahead: np.ndarray,
    resolution: float = 0.02,
) -> np.ndarray:
    """Return the free distance (M,) by testing every `resolution` metres."""
    gap = np.full(len(rows), np.inf)
    for i, row in enumerate(rows):
        at = np.arange(0.0, ahead[i], resolution)
        poses = paths.pose(np.full(len(at), row), s[i] + at)
        for j, obstacle in enumerate(obstacles):
            if ignore[i, j]:
                continue
            own = boxes.corners(poses, 2 * half_size[i, 0], 2 * (half_size[i, 1] + obstacle[7]))
            hit = boxes.overlap(own, boxes.corners(obstacle[:3], 2 * obstacle[3], 2 * obstacle[4])[None])
            if not hit.any():
                continue
            first = int(np.argmax(hit))
            along = (obstacle[:2] - poses[0, :2]) @ [np.cos(poses[0, 2]), np.sin(poses[0, 2])]
            if first > 0 or along > 0:
                gap[i] = min(gap[i], at[first])
    return gap
