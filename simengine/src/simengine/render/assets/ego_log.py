"""Where the ego stood in the log that an asset was reconstructed from."""

from __future__ import annotations

import numpy as np

from simengine.datatypes.vehicle import AXLE_HEIGHT
from simengine.errors import AssetError
from simengine.render.assets.asset import LogPoses
from simengine.scenario.scenario import ASSET_EGO_POSES, Scenario


def ego_log(scenario: Scenario) -> LogPoses | None:
    """Return the poses of the rear axle in the frame of the asset; None if the scenario does not tell.

    Raises:
        AssetError: the tag of the scenario is malformed.
    """
    given = scenario.tags.get(ASSET_EGO_POSES)
    if not given:
        return None
    try:
        poses = np.array(given, np.float64)
        if poses.ndim != 3 or poses.shape[1:] not in ((4, 4), (3, 4)) or not np.isfinite(poses).all():
            raise ValueError(f"numbers of shape {poses.shape}")
    except (ValueError, TypeError) as error:
        raise AssetError(
            f"scenario {scenario.token}: its tag {ASSET_EGO_POSES} is malformed ({error}), expected finite matrices "
            "(T, 4, 4): convert the scenario again"
        ) from None
    return LogPoses.from_matrices(poses)


def ground_below_axle(scene_from_axle: np.ndarray) -> np.ndarray:
    """Return the pose (4, 4) of the ego frame, which lies on the ground, below a rear axle (4, 4)."""
    pose = scene_from_axle.copy()
    pose[:3, 3] -= AXLE_HEIGHT * pose[:3, 2]
    return pose
