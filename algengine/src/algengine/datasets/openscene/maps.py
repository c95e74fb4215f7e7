"""Map elements around OpenScene frames, drawn from nuPlan's maps."""

from __future__ import annotations

import os

import numpy as np

from algengine.datasets.bev_labels import LabelGrid
from algengine.datasets.map_labels import MapElements, MapFrame
from algengine.datasets.openscene.frame import Frame
from algengine.datasets.openscene.places import located
from simengine.scenario.nuplan.map_window import NuplanMap
from simengine.scenario.nuplan.options import find_map


class OpenSceneMaps:
    """Draws the elements around a frame when they are asked for.

    Args:
        map_root: folder with `<map_version>.json` and one folder for each place.
        map_version: name of the version file.
        grid: arguments of `LabelGrid`.
    """

    def __init__(self, map_root: str, map_version: str = "nuplan-maps-v1.0", **grid: object) -> None:
        self._root, self._version = located(map_root), map_version
        self.grid = LabelGrid(**grid)
        self._reach = float(np.linalg.norm(np.abs([self.grid.x_range, self.grid.y_range]).max(1)))
        self._maps: dict[tuple[int, str], NuplanMap] = {}

    def draw(self, frame: Frame) -> MapFrame:
        """Return the elements around a frame.

        Raises:
            ScenarioFormatError: the map of its place is missing or damaged.
        """
        x, y, yaw = frame.pose
        bounds = (x - self._reach, y - self._reach, x + self._reach, y + self._reach)
        found = self._open(frame.place).window(bounds, np.array([x, y]))
        return MapElements(found.vector_map, self.grid).draw(np.array([0.0, 0.0, yaw]))

    def _open(self, place: str) -> NuplanMap:
        # An open database must not be shared with the loader's workers, which are forks.
        key = (os.getpid(), place)
        if key not in self._maps:
            self._maps[key] = NuplanMap(find_map(self._root, self._version, place), place)
        return self._maps[key]
