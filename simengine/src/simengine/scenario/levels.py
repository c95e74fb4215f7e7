"""Roads above and below: what lies on another level than the ego must not block or carry it.

Scenarios are flat, so a bridge over the road would put its lanes and traffic onto the road.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simengine.datatypes.agents import AgentTracks
from simengine.scenario.scene_tracks import track_height

_NEAR_PATH = 15.0
_LEVEL_STEP = 2.5


class Levels:
    """Heights along the ego path, to tell what is near it in the plane but not in space."""

    def __init__(self, path: np.ndarray, ground: np.ndarray) -> None:
        """Keep the path.

        Args:
            path: ego poses (T, 3).
            ground: (T,) height of the road under the ego [m].
        """
        keep = np.concatenate([[True], np.hypot(*np.diff(path[:, :2], axis=0).T) > 0.05])
        self._path, self._ground = path[keep, :2], ground[keep]

    def other_level(self, points: np.ndarray) -> bool:
        """Return whether points (N, 3) pass the ego path on another level."""
        gap = np.linalg.norm(points[:, None, :2] - self._path[None], axis=2)
        nearest = gap.argmin(axis=1)
        near = gap[np.arange(len(points)), nearest] < _NEAR_PATH
        if not near.any():
            return False
        return bool(np.median(np.abs(points[near, 2] - self._ground[nearest[near]])) > _LEVEL_STEP)

    def keep_features(self, features: Mapping) -> tuple[dict, int]:
        """Return the map features on the ego's level (or far from its path), and how many others."""
        kept = {}
        for key, feature in features.items():
            points = np.asarray(feature.get("polyline", feature.get("polygon", ())), np.float64)
            has_height = points.ndim == 2 and len(points) and points.shape[1] > 2
            if not (has_height and self.other_level(points)):
                kept[key] = feature
        return kept, len(features) - len(kept)

    def keep_agents(self, agents: AgentTracks, tracks: Mapping) -> tuple[AgentTracks, int]:
        """Return the agents on the ego's level (or far from its path), and the number of others."""
        keep = np.ones(agents.num_agents, bool)
        for index, agent_id in enumerate(agents.ids):
            valid = agents.valid[index]
            height = track_height(tracks[agent_id]["state"], agents.num_frames)[valid]
            bottom = height - 0.5 * agents.size[index, 2]
            keep[index] = not self.other_level(np.column_stack([agents.pose[index, valid, :2], bottom]))
        return agents.select(keep), int((~keep).sum())
