"""Expected depth of the processor backend against planes: the other half of the ray-cast oracle.

A splat has one depth, that of its centre, and each is blurred to about a pixel; the near ones are blended first. So
expected depth can only be as good as splats and pixels are small: discs every 4 cm and images of 640 x 360 here. Discs
of upright walls overlap more, since what they let through is metres behind them.
"""

from __future__ import annotations

import numpy as np
import pytest

from lidar_factories import Panel, nearest
from simengine.render.cpu_backend import CpuBackend
from simengine.render.gaussians import concatenate
from simengine.render.rig import nuplan_rig

ROOM = (
    Panel((0.0, -7.0, 0.0), (10.0, 0.0, 0.0), (0.0, 14.0, 0.0)),  # ground
    Panel((10.0, -7.0, 0.0), (0.0, 14.0, 0.0), (0.0, 0.0, 8.0)),
    Panel((0.0, 7.0, 0.0), (10.0, 0.0, 0.0), (0.0, 0.0, 8.0)),
    Panel((6.5, -1.5, 0.0), (0.0, 2.0, 0.0), (0.0, 0.0, 1.2)),  # a board in front of the wall
)


@pytest.mark.parametrize("channel", ["CAM_F0", "CAM_L0"])
def test_expected_depth_is_that_of_the_planes(channel):
    camera = next(c for c in nuplan_rig(640, 360) if c.name == channel)
    scene = concatenate([panel.gaussians(0.04, overlap=0.65 if panel is ROOM[0] else 0.75) for panel in ROOM])
    drawn = CpuBackend(2).render(scene, [camera], camera.ego_from_cam[None], want_depth=True)
    columns, rows = np.meshgrid(np.arange(640) + 0.5, np.arange(360) + 0.5)
    pixels = np.stack([columns, rows, np.ones_like(columns)], axis=-1).reshape(-1, 3)
    in_cam = pixels @ np.linalg.inv(camera.intrinsic).T
    directions = in_cam @ camera.ego_from_cam[:3, :3].T
    origins = np.broadcast_to(camera.ego_from_cam[:3, 3], directions.shape)
    # With z = 1 in the camera, the length along a ray is the depth.
    exact = nearest(ROOM, origins, directions)
    safe = nearest(ROOM, origins, directions, -0.3) == nearest(ROOM, origins, directions, 0.3)
    hit = safe & np.isfinite(exact)
    error = np.abs(drawn.depth[0].reshape(-1) - exact)[hit]
    assert hit.mean() > 0.7 and error.max() < 0.05
