"""What simulators show the shipped planner, and one that vanishes: `python serve_factories.py ADDRESS SCENE`."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from algengine.engine.configs import load_config
from algengine.engine.synthetic import synthetic_observation
from simengine.bridge.client import PlannerClient
from simengine.datatypes.observation import Observation

CAMERAS = ("CAM_F0", "CAM_L0", "CAM_L1", "CAM_L2", "CAM_R0", "CAM_R1", "CAM_R2", "CAM_B0")


def observe(scene: str, step: int) -> Observation:
    """Return what one of the scenes shows at a step, from the eight cameras by their names."""
    seen = synthetic_observation(load_config("vadv2_demo").model, scene, step, seed=len(scene))
    names = dict(zip((c.name for c in seen.cameras), CAMERAS, strict=True))
    return replace(
        seen,
        images={names[name]: image for name, image in seen.images.items()},
        cameras=tuple(replace(camera, name=names[camera.name]) for camera in seen.cameras),
    )


if __name__ == "__main__":
    PlannerClient(sys.argv[1]).plan(observe(sys.argv[2], 0))
    os._exit(9)
