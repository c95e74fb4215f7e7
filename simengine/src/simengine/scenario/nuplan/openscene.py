"""OpenScene metadata: for each log a pickled list with one dictionary for each frame at 2 Hz."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.openscene_camera import openscene_camera
from simengine.errors import ScenarioFormatError
from simengine.scenario.restricted_pickle import load_pickle

_SPLITS = ("trainval", "test", "mini")
_IMAGE_SIZE = (1920, 1080)
_KEPT = (
    *("token", "frame_idx", "timestamp", "log_name", "log_token", "scene_name", "scene_token"),
    *("map_location", "roadblock_ids", "vehicle_name", "can_bus", "lidar_path", "lidar2ego_translation"),
    *("lidar2ego_rotation", "ego2global_translation", "ego2global_rotation", "ego_dynamic_state"),
    *("traffic_lights", "driving_command", "cams", "sample_prev", "sample_next"),
    *("occ_gt_final_path", "flow_gt_final_path"),
)


def find_metadata(root: Path, log_name: str) -> Path | None:
    """Return the metadata file of a log below an OpenScene folder, None if there is none.

    Looked at are `meta_datas/{trainval,test,mini}`, then other folders below `meta_datas`, then the folder itself.
    """
    meta = root / "meta_datas"
    folders = [meta / split for split in _SPLITS]
    if meta.is_dir():
        folders += sorted(path for path in meta.iterdir() if path.is_dir() and path not in folders)
    for folder in [*folders, meta, root]:
        path = folder / f"{log_name}.pkl"
        if path.is_file():
            return path
    return None


def read_metadata(path: Path) -> dict[str, Mapping]:
    """Return token -> frame dictionary in file order.

    Raises:
        ScenarioFormatError: the file is no safe pickle or holds no list of frames.
    """
    value = load_pickle(path)
    frames = value.get("infos") if isinstance(value, Mapping) else value
    if not isinstance(frames, list) or not all(isinstance(x, Mapping) and "token" in x for x in frames):
        raise ScenarioFormatError(
            f"{path}: holds no frames (a {type(value).__name__}), expected a list of dictionaries with token: point at "
            "OpenScene's meta_datas"
        )
    return {str(frame["token"]): frame for frame in frames}


def frame_facts(frame: Mapping) -> dict[str, object]:
    """Return what an export needs of a frame as JSON values; annotations are in the tracks already."""
    return {key: plain(frame[key]) for key in _KEPT if key in frame}


def plain(value: object) -> object:
    """Return a value made of numpy arrays and containers as JSON values."""
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def cameras_of_frame(frame: Mapping) -> tuple[CameraCalibration, ...]:
    """Return the rig of a frame, for logs whose database has none; images are nuPlan's 1920 x 1080.

    Raises:
        ScenarioFormatError: a calibration is malformed.
    """
    try:
        return tuple(openscene_camera(name, entry, *_IMAGE_SIZE) for name, entry in frame["cams"].items())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ScenarioFormatError(
            f"frame {frame['token']}: a malformed camera ({type(error).__name__}: {error}), expected OpenScene's cams: "
            "leave the metadata out"
        ) from None
