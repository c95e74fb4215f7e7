"""What OpenScene says about logged frames and no scenario holds: names of images, and keys that are only passed on.

It lies beside converted nuPlan scenarios; other scenarios have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from simengine.scenario.nuplan.frames import FRAMES_FOLDER, load_frames

PASSED_ON = ("vehicle_name", "map_location", "occ_gt_final_path", "flow_gt_final_path")
SIMULATED = (*range(9), 10, 11, 15)
"""Entries of `can_bus` that follow the simulation; the others stay as logged."""


def logged_frames(scenario_file: Path | None, token: str) -> dict[str, Mapping]:
    """Return frame token -> OpenScene's frame, as JSON values; nothing where there is none.

    Args:
        scenario_file: file that the scenario was read from, None if it was not.
        token: of the scenario.

    Raises:
        ScenarioFormatError: the file of frames is damaged.
    """
    if scenario_file is None:
        return {}
    split = Path(scenario_file).parent
    if not (split / FRAMES_FOLDER / f"{token}.json.gz").is_file():
        return {}
    frames = load_frames(split, token)["frames"]
    return {frame["token"]: frame["openscene"] for frame in frames if frame.get("openscene")}


def with_logged(frame: dict, logged: Mapping | None, variant: str) -> dict:
    """Return a frame with what its log says; the very same without a log.

    Args:
        frame: frame dict.
        logged: OpenScene's frame of the same moment.
        variant: ends the names of images.
    """
    if logged is None:
        return frame
    can_bus = frame["can_bus"]
    if len(logged.get("can_bus") or ()) == len(can_bus):
        can_bus = np.array(logged["can_bus"], np.float64)
        can_bus[list(SIMULATED)] = frame["can_bus"][list(SIMULATED)]
    cams = {
        name: camera | _image_name(frame["scene_token"], name, logged, variant)
        for name, camera in frame["cams"].items()
    }
    kept = {key: logged[key] for key in PASSED_ON if logged.get(key) is not None}
    return frame | kept | {"can_bus": can_bus, "cams": cams}


def _image_name(scene_token: str, camera: str, logged: Mapping, variant: str) -> dict[str, str]:
    path = ((logged.get("cams") or {}).get(camera) or {}).get("data_path")
    if not path:
        return {}
    return {"data_path": f"{scene_token}/{camera}/{PurePosixPath(path).stem}-{variant}.jpg"}
