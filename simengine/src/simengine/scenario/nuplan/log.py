"""A nuPlan log (`.db`): its sweeps at 20 Hz, where the ego was at them, and what the log says about each.

Schema v1.1; tokens are BLOBs of eight bytes, written here as 16 hex digits. The clock is that of `lidar_pc`:
the rows of `ego_pose` that belong to sweeps carry slightly other times, which nuplan-devkit ignores as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from simengine.errors import ScenarioFormatError
from simengine.scenario.nuplan.database import Database

SWEEP_DT = 0.05
"""Time between sweeps [s]."""

_EGO_COLUMNS = (
    *("x", "y", "z", "qw", "qx", "qy", "qz", "vx", "vy", "vz"),
    *("acceleration_x", "acceleration_y", "acceleration_z"),
    *("angular_rate_x", "angular_rate_y", "angular_rate_z"),
)


@dataclass(frozen=True)
class LogHeader:
    """What the log says about itself: names of log, place and car, and its own token."""

    name: str
    map_name: str
    vehicle_name: str
    token: str


@dataclass(frozen=True)
class Sweeps:
    """All N sweeps of a log in order of time.

    Attributes:
        tokens: N tokens.
        timestamps_us: (N,) int64.
        scene_tokens: scene of each sweep, "" for none.
        files: point-cloud file of each sweep, relative.
    """

    tokens: tuple[str, ...]
    timestamps_us: np.ndarray
    scene_tokens: tuple[str, ...]
    files: tuple[str, ...]

    @cached_property
    def index(self) -> dict[str, int]:
        """Place of each token."""
        return {token: place for place, token in enumerate(self.tokens)}


@dataclass(frozen=True)
class EgoPoses:
    """The ego at N sweeps: its rear axle in the map datum; rates in vehicle axes.

    Attributes:
        translation: (N, 3) [m].
        rotation: (N, 4) quaternion wxyz.
        velocity: (N, 3) [m/s].
        acceleration: (N, 3) [m/s^2].
        angular_rate: (N, 3) [rad/s].
    """

    translation: np.ndarray
    rotation: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    angular_rate: np.ndarray

    @property
    def pose(self) -> np.ndarray:
        """Planar poses (N, 3) as nuplan-devkit has them.

        Its yaw is that of pyquaternion, atan2(2 (wz - xy), 1 - 2 (yy + zz)): the sign of xy differs from the usual
        order of rotations, by less than a milliradian on roads.
        """
        q = self.rotation / np.linalg.norm(self.rotation, axis=1, keepdims=True)
        w, x, y, z = q.T
        yaw = np.arctan2(2 * (w * z - x * y), 1 - 2 * (y * y + z * z))
        return np.column_stack([self.translation[:, :2], yaw])


@dataclass(frozen=True)
class LogScene:
    """A stretch of a log of up to 20 s with a goal.

    Attributes:
        token: of the scene.
        name: of the scene.
        roadblock_ids: the route towards the goal.
        goal: (3,) rear-axle pose in the map datum, None if the log has none.
    """

    token: str
    name: str = ""
    roadblock_ids: tuple[str, ...] = ()
    goal: np.ndarray | None = None


class NuplanLog:
    """A nuPlan `.db` opened for reading; close it, or use it in a `with` statement."""

    def __init__(self, path: Path) -> None:
        """Open a log.

        Raises:
            ScenarioFormatError: the file is missing, damaged or no nuPlan log.
        """
        self.path = Path(path)
        self.database = Database(self.path, "nuPlan log")
        missing = {"log", "lidar_pc", "ego_pose", "lidar_box", "scene"} - self.database.tables
        if missing:
            raise ScenarioFormatError(
                f"{path}: lacks the tables {', '.join(sorted(missing))}, expected a nuPlan log: check the file"
            )

    def __enter__(self) -> NuplanLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    @cached_property
    def header(self) -> LogHeader:
        """Names of the log.

        Raises:
            ScenarioFormatError: the table `log` is empty.
        """
        rows = self.database.rows("SELECT token, logfile, map_version, vehicle_name FROM log")
        if not rows:
            raise ScenarioFormatError(
                f"{self.path}: its table log is empty, expected one row: download it again"
            )
        token, name, place, vehicle = rows[0]
        place = str(place or "").removesuffix(".gpkg")
        return LogHeader(str(name or self.path.stem), place, str(vehicle or ""), hex_token(token))

    @cached_property
    def sweeps(self) -> Sweeps:
        """All sweeps; if several lidars are listed, those of the one with most of them.

        Raises:
            ScenarioFormatError: there are none.
        """
        rows = self.database.rows(
            "SELECT token, timestamp, scene_token, filename, lidar_token FROM lidar_pc ORDER BY timestamp, token"
        )
        if not rows:
            raise ScenarioFormatError(
                f"{self.path}: holds no lidar sweeps, expected a drive: leave the log out"
            )
        ((lidar, _),) = Counter(row[4] for row in rows).most_common(1)
        tokens, times, scenes, files, _ = zip(*(row for row in rows if row[4] == lidar), strict=True)
        return Sweeps(
            tuple(map(hex_token, tokens)),
            np.array(times, np.int64),
            tuple(map(hex_token, scenes)),
            tuple(str(file or "") for file in files),
        )

    def ego(self, tokens: Sequence[str]) -> EgoPoses:
        """Return the ego at the sweeps `tokens`.

        Raises:
            ScenarioFormatError: a sweep has no ego pose.
        """
        listed = ", ".join(f"ep.{name}" for name in _EGO_COLUMNS)
        rows = self.database.rows_for(
            f"SELECT lp.token, {listed} FROM lidar_pc AS lp JOIN ego_pose AS ep ON ep.token = lp.ego_pose_token "
            "WHERE lp.token IN ({keys})",
            map(bytes.fromhex, tokens),
        )
        found = {hex_token(token): values for token, *values in rows}
        absent = [token for token in tokens if token not in found]
        if absent:
            raise ScenarioFormatError(
                f"{self.path}: sweep {absent[0]} and {len(absent) - 1} others have no ego pose, expected one for each: "
                "download the log again"
            )
        table = np.array([found[token] for token in tokens], np.float64)
        return EgoPoses(*np.split(table, [3, 7, 10, 13], axis=1))

    def scene(self, token: str) -> LogScene:
        """Return a scene; an empty one if the log does not know it."""
        rows = self.database.rows(
            "SELECT s.name, s.roadblock_ids, ep.x, ep.y, ep.qw, ep.qx, ep.qy, ep.qz FROM scene AS s "
            "LEFT JOIN ego_pose AS ep ON ep.token = s.goal_ego_pose_token WHERE s.token = ?",
            [bytes.fromhex(token)],
        )
        if not rows:
            return LogScene(token)
        name, blocks, *goal = rows[0]
        place = None
        if None not in goal:
            x, y, *rotation = goal
            none = np.zeros((1, 3))
            place = EgoPoses(np.array([[x, y, 0.0]]), np.array([rotation]), none, none, none).pose[0]
        return LogScene(token, str(name or ""), route_ids(blocks), place)

    def routes(self) -> dict[str, tuple[str, ...]]:
        """Return the roadblocks of each scene by its token."""
        rows = self.database.rows("SELECT token, roadblock_ids FROM scene")
        return {hex_token(token): route_ids(blocks) for token, blocks in rows}

    def scenario_tags(self, token: str) -> list[str]:
        """Return the scenario types that nuPlan's miners gave to a sweep, sorted."""
        if "scenario_tag" not in self.database.tables:
            return []
        rows = self.database.rows(
            "SELECT DISTINCT type FROM scenario_tag WHERE lidar_pc_token = ? ORDER BY type",
            [bytes.fromhex(token)],
        )
        return [str(kind) for (kind,) in rows if kind]


def route_ids(text: object) -> tuple[str, ...]:
    """Return the ids in `scene.roadblock_ids`; they are parted by blanks, in some exports by commas."""
    return tuple(str(text or "").replace(",", " ").split())


def hex_token(value: object) -> str:
    """Return a token as hex digits; "" for none."""
    return value.hex() if isinstance(value, bytes) else str(value or "")
