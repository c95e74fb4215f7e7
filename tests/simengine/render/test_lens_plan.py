from __future__ import annotations

import pytest

from simengine.errors import ConfigError
from simengine.render.lens_plan import LensPlanner
from simengine.render.rig import nuplan_rig


def test_modes():
    straight, bent = nuplan_rig(96, 54)[0], nuplan_rig(96, 54, distortion=True)[1]

    def kinds(lens: str, rolling: bool = False) -> list[str]:
        drawn = LensPlanner().plan((straight, bent), lens, rolling)
        return ["native" if d.native else "warp" if d.warp else "pinhole" for d in drawn]

    assert kinds("ignore") == ["pinhole", "pinhole"]
    assert kinds("auto") == kinds("native") == ["pinhole", "native"]
    assert kinds("warp") == ["pinhole", "warp"]
    assert kinds("auto", rolling=True) == ["native", "native"]


def test_warps_are_remembered_per_calibration():
    planner, rig = LensPlanner(), nuplan_rig(96, 54, distortion=True)
    first, again = (planner.plan(rig, "warp", False) for _ in range(2))
    assert all(a.warp is b.warp for a, b in zip(first, again, strict=True))
    larger = planner.plan([rig[0].resized(192, 108)], "warp", False)[0]
    assert larger.warp is not first[0].warp
    assert [d.camera.name for d in first] == [camera.name for camera in rig]


def test_contradictions_are_refused():
    with pytest.raises(ConfigError, match="expected one of auto, native"):
        LensPlanner().plan(nuplan_rig(96, 54), "fisheye", False)
    with pytest.raises(ConfigError, match="rolling shutter needs native"):
        LensPlanner().plan(nuplan_rig(96, 54), "warp", True)
