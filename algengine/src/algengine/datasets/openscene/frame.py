"""One frame of an info file, without what no planner looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from algengine.datasets.openscene.objects import SeenObjects, parse_objects
from algengine.errors import RecordingError
from simengine.datatypes.camera import lens_coefficients
from simengine.datatypes.openscene_camera import axle_from_cam
from simengine.datatypes.vehicle import VehicleParams
from simengine.geometry.se3 import make_transform, rotation_from_quaternion

CAN_BUS_SIZE = 18
FIRST_DECISION = 3
"""`frame_idx` of the first decision of a simulated scene; what comes before was logged."""

_PLANAR = [0, 1, 6]
_MALFORMED = (KeyError, TypeError, ValueError, IndexError, AttributeError)


@dataclass(frozen=True, slots=True)
class FrameCamera:
    """One camera of a frame.

    Attributes:
        name: channel.
        axle_from_cam: (4, 4) pose on the vehicle, in the frame at the height of its rear axle. Files call it
            `sensor2lidar`, see `openscene_camera`.
        intrinsic: (3, 3) for images as they are stored [px].
        distortion: see `CameraCalibration`.
    """

    name: str
    axle_from_cam: np.ndarray
    intrinsic: np.ndarray
    distortion: np.ndarray


@dataclass(frozen=True, slots=True)
class SdcTrack:
    """Ego poses seen from the present lidar, as files store them.

    Attributes:
        poses: (T, 3) x, y, yaw [m, m, rad], in order of time.
        valid: (T,).
    """

    poses: np.ndarray
    valid: np.ndarray


@dataclass(frozen=True, slots=True)
class Frame:
    """A moment at 2 Hz.

    Attributes:
        token: sample id.
        log_name: drive, or `<drive>-<token>[-<variant>]` of a simulated scene.
        sequence: what its neighbours share, `log_token`.
        index: `frame_idx`.
        time_us: time.
        ego2global: (4, 4) of the rear axle.
        lidar2ego: (4, 4).
        can_bus: (18,) as stored, absolute.
        velocity: (2,) of the rear axle in ego axes [m/s].
        command: of `DrivingCommand`.
        cameras: calibrations in the order of the file.
        images: path of each camera's image, as stored.
        past: the last frames' ego, None where the file has none.
        past_commands: commands of `past`.
        future: the next frames' ego, None where the file has none.
        dataset: `syn_name` of a simulated frame, else empty.
        invalid: simulated, and its rewards could not be made.
        place: `map_location`, empty where the file has none.
        objects: around the ego; None if they were not asked for.
    """

    token: str
    log_name: str
    sequence: str
    index: int
    time_us: int
    ego2global: np.ndarray
    lidar2ego: np.ndarray
    can_bus: np.ndarray
    velocity: np.ndarray
    command: int
    cameras: tuple[FrameCamera, ...]
    images: tuple[str, ...]
    past: SdcTrack | None = None
    past_commands: np.ndarray | None = None
    future: SdcTrack | None = None
    dataset: str = ""
    invalid: bool = False
    place: str = ""
    objects: SeenObjects | None = None

    @property
    def pose(self) -> np.ndarray:
        """Rear axle (3,) in the map datum [m, m, rad]."""
        m = self.ego2global
        return np.array([m[0, 3], m[1, 3], np.arctan2(m[1, 0], m[0, 0])])

    @property
    def lidar2global(self) -> np.ndarray:
        """Pose (4, 4) of the lidar in the map datum."""
        return self.ego2global @ self.lidar2ego


class FrameParser:
    """Turns info dictionaries into frames; equal calibrations are kept once.

    Args:
        source: file that they come from, for messages.
        objects: whether frames keep the objects around the ego, which planners do not look at.
    """

    def __init__(self, source: object, objects: bool = False) -> None:
        self._source, self._objects = source, objects
        self._rigs: dict[bytes, tuple[FrameCamera, ...]] = {}

    def frame(self, info: Mapping) -> Frame:
        """Return a frame.

        Raises:
            RecordingError: a key is missing or malformed.
        """
        try:
            return self._frame(info)
        except _MALFORMED as error:
            token = info.get("token") if isinstance(info, Mapping) else None
            what = f"has no {error}" if isinstance(error, KeyError) else f"is malformed ({error})"
            raise RecordingError(
                f"{self._source}: frame {token!r} {what}, expected a frame of OpenScene with cams, can_bus, "
                "driving_command and ego2global: make the file again"
            ) from None

    def _frame(self, info: Mapping) -> Frame:
        can_bus = _array(info["can_bus"], (CAN_BUS_SIZE,))
        index, simulated = int(info["frame_idx"]), str(info.get("syn_name") or "")
        velocity = can_bus[10:12].copy()
        if simulated and index > FIRST_DECISION:
            # Simulated frames give the velocity of the box centre, logged ones that of the rear axle.
            velocity[1] -= can_bus[15] * VehicleParams().rear_axle_to_center
        cams = {str(name): entry for name, entry in info["cams"].items()}
        commands = info.get("gt_pre_command_sdc")
        return Frame(
            token=str(info["token"]),
            log_name=str(info["log_name"]),
            sequence=str(info.get("log_token") or info["log_name"]),
            index=index,
            time_us=int(info["timestamp"]),
            ego2global=_pose(info, "ego2global"),
            lidar2ego=_pose(info, "lidar2ego"),
            can_bus=can_bus,
            velocity=velocity,
            command=int(np.argmax(_array(info["driving_command"], (4,)))),
            cameras=self._rig(cams),
            images=tuple(str(entry["data_path"]) for entry in cams.values()),
            past=_track(info, "pre"),
            past_commands=None if commands is None else np.asarray(commands, np.int64).reshape(-1),
            future=_track(info, "fut"),
            dataset=simulated,
            invalid=bool(info.get("invalid", False)),
            place=str(info.get("map_location") or ""),
            objects=parse_objects(info) if self._objects else None,
        )

    def _rig(self, cams: Mapping[str, Mapping]) -> tuple[FrameCamera, ...]:
        rig = tuple(_camera(name, entry) for name, entry in cams.items())
        parts = [(c.axle_from_cam, c.intrinsic, c.distortion) for c in rig]
        key = repr(tuple(cams)).encode() + b"".join(a.tobytes() for part in parts for a in part)
        return self._rigs.setdefault(key, rig)


def _camera(name: str, entry: Mapping) -> FrameCamera:
    pose = _array(axle_from_cam(entry), (4, 4))
    distortion = lens_coefficients(entry.get("distortion"))
    return FrameCamera(name, pose, _array(entry["cam_intrinsic"], (3, 3)), distortion)


def _pose(info: Mapping, key: str) -> np.ndarray:
    if info.get(key) is not None:
        return _array(info[key], (4, 4))
    rotation = rotation_from_quaternion(_array(info[f"{key}_rotation"], (4,)))
    return make_transform(rotation, _array(info[f"{key}_translation"], (3,)))


def _track(info: Mapping, when: str) -> SdcTrack | None:
    boxes = info.get(f"gt_{when}_bbox_sdc_lidar")
    if boxes is None:
        return None
    poses = np.asarray(boxes, np.float64).reshape(-1, 9)[:, _PLANAR]
    valid = np.asarray(info[f"gt_{when}_bbox_sdc_mask"], bool).reshape(len(poses), -1)[:, 0]
    return SdcTrack(poses, valid)


def _array(value: object, shape: tuple[int, ...]) -> np.ndarray:
    array = np.array(value, np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"an array of shape {array.shape}, expected finite numbers {shape}")
    return array
