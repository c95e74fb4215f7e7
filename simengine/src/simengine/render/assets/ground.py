"""Where the ground is below a reconstructed scene, and which way it leans."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from simengine.geometry.se3 import make_transform
from simengine.render.assets.height_map import HeightMap

OWN_REACH = 5.0
"""Up to here an object stands as it stood in its own log; farther off it stands as whoever was nearest [m]."""
_MAX_SLOPE = 0.3
_MAX_CLEARANCE = 1.0
_MIN_AGREEING = 3
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Contacts:
    """Where something stood on the ground in the log.

    Attributes:
        points: (M, 3) in the frame of the scene [m].
        normals: (M, 3) unit, up from the ground.
    """

    points: np.ndarray
    normals: np.ndarray

    @classmethod
    def join(cls, parts: list[Contacts]) -> Contacts:
        """Return all contacts of `parts`."""
        return cls(
            np.concatenate([np.zeros((0, 3)), *(part.points for part in parts)]),
            np.concatenate([np.zeros((0, 3)), *(part.normals for part in parts)]),
        )

    def nearest(self, xy: np.ndarray) -> tuple[float, int]:
        """Return how far from `xy` (2,) the nearest contact is [m], and which; infinity and -1 if there is none."""
        if not len(self.points):
            return np.inf, -1
        distance = np.linalg.norm(self.points[:, :2] - xy, axis=1)
        index = int(np.argmin(distance))
        return float(distance[index]), index


class Ground:
    """The ground of a scene: its height map where that is known, else where the nearest vehicle of the log stood.

    It is never extrapolated: beyond the last contact the ground goes on level with it, leaning as it does.

    Args:
        contacts: where the ego and the objects stood in the log.
        height_map: in the frame of the scene; left out, with a warning, if it contradicts the contacts.
    """

    def __init__(self, contacts: Contacts, height_map: HeightMap | None = None) -> None:
        self._contacts = contacts
        self._tree = cKDTree(contacts.points[:, :2]) if len(contacts.points) else None
        self._map = height_map if _agrees(height_map, contacts) else None

    def clearance(self, own: Contacts) -> float:
        """Return how far above the height map an object stood in its log, the median [m]; 0 where nobody knows."""
        off = _above(self._map, own)
        median = float(np.median(off)) if len(off) else 0.0
        return median if abs(median) <= _MAX_CLEARANCE else 0.0

    def stand(
        self, pose: np.ndarray, size: np.ndarray, own: Contacts | None = None, clearance: float = 0.0
    ) -> np.ndarray:
        """Return `scene_from_body` (4, 4) of a body that stands on the ground, its origin there.

        Args:
            pose: (3,) x, y, yaw in the frame of the scene; kept exactly.
            size: (2,) or more, length and width [m] over which the height map is averaged.
            own: where the body stood in the log.
            clearance: added to the height map [m].
        """
        xy, yaw = np.asarray(pose[:2], np.float64), float(pose[2])
        mapped = self._on_map(xy, yaw, size) if self._map is not None else None
        if mapped is not None:
            height, normal = mapped
            return standing(xy, yaw, height + clearance, normal)
        if own is not None:
            distance, index = own.nearest(xy)
            if distance <= OWN_REACH:
                return standing(xy, yaw, own.points[index, 2], own.normals[index])
        if self._tree is None:
            return standing(xy, yaw, 0.0, np.array([0.0, 0.0, 1.0]))
        index = int(self._tree.query(xy)[1])
        return standing(xy, yaw, self._contacts.points[index, 2], self._contacts.normals[index])

    def _on_map(self, xy: np.ndarray, yaw: float, size: np.ndarray) -> tuple[float, np.ndarray] | None:
        """Return height and normal below four places of a body, None where one of them is unknown."""
        assert self._map is not None
        ahead = np.array([np.cos(yaw), np.sin(yaw)])
        left = np.array([-ahead[1], ahead[0]])
        long, wide = 0.3 * float(size[0]), 0.3 * float(size[1])
        places = xy + np.array([long * ahead, -long * ahead, wide * left, -wide * left])
        heights = self._map.at(places)
        if not np.isfinite(heights).all():
            return None
        climb = np.clip((heights[0] - heights[1]) / max(2.0 * long, 0.1), -_MAX_SLOPE, _MAX_SLOPE)
        bank = np.clip((heights[2] - heights[3]) / max(2.0 * wide, 0.1), -_MAX_SLOPE, _MAX_SLOPE)
        gradient = climb * ahead + bank * left
        normal = np.array([-gradient[0], -gradient[1], 1.0])
        return float(heights.mean()), normal / np.linalg.norm(normal)


def standing(xy: np.ndarray, yaw: float, height: float, normal: np.ndarray) -> np.ndarray:
    """Return the transform (4, 4) of a body at `xy` (2,) and `height`, z along `normal` (3,), x headed to `yaw`."""
    ahead = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    ahead[2] = -(normal[0] * ahead[0] + normal[1] * ahead[1]) / normal[2]
    ahead /= np.linalg.norm(ahead)
    rotation = np.stack([ahead, np.cross(normal, ahead), normal], axis=1)
    return make_transform(rotation, np.array([xy[0], xy[1], height]))


def _above(height_map: HeightMap | None, contacts: Contacts) -> np.ndarray:
    """Return how far above the map contacts lie, of those over known ground."""
    if height_map is None or not len(contacts.points):
        return np.zeros(0)
    off = contacts.points[:, 2] - height_map.at(contacts.points[:, :2])
    return off[np.isfinite(off)]


def _agrees(height_map: HeightMap | None, contacts: Contacts) -> bool:
    off = _above(height_map, contacts)
    if len(off) >= _MIN_AGREEING and abs(np.median(off)) > _MAX_CLEARANCE:
        _LOG.warning(
            "the height map is left out: the log stood %.1f m above it, expected less than %.0f m",
            float(np.median(off)), _MAX_CLEARANCE,
        )  # fmt: skip
        return False
    return height_map is not None
