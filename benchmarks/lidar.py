"""Times lidars and render trust, and compares ranges with planes; prints JSON.

python benchmarks/lidar.py                 the processor, and CUDA where there is one
python benchmarks/lidar.py --gaussians N   other size of the random scene
"""

from __future__ import annotations

import argparse
import json
import os
import time

import numpy as np
from rendering import agents_at, median_seconds, random_gaussians, street_scenario

from simengine.datatypes.vehicle import VehicleParams
from simengine.errors import RenderBackendError
from simengine.render.cpu_backend import CpuBackend
from simengine.render.gaussians import FlatGaussians
from simengine.render.lidar.caster import RayCaster, Returns
from simengine.render.lidar.cpu_caster import CpuCaster
from simengine.render.lidar.pattern import LidarPattern, SpinningLidar, make_rays, nuplan_lidars
from simengine.render.lidar.torch_caster import TorchCaster
from simengine.render.posed import PosedScene
from simengine.render.renderer import SceneRenderer
from simengine.render.rig import nuplan_rig
from simengine.render.sh import from_rgb
from simengine.render.trust.coverage import coverage

REPEATS = 5


def street() -> PosedScene:
    """Return a lifted street at one moment."""
    scenario = street_scenario()
    renderer = SceneRenderer(CpuBackend())
    renderer.load(scenario)
    return renderer.posed(scenario.ego.pose[15], agents_at(scenario, 15), 15)


def tiled_plane(cell: float = 0.2, reach: float = 30.0) -> FlatGaussians:
    """Return a level plane of opaque discs at z = 0."""
    axis = np.arange(-reach, reach, cell) + 0.5 * cell
    x, y = (grid.ravel() for grid in np.meshgrid(axis, axis))
    n = len(x)
    return FlatGaussians(
        np.stack([x, y, np.zeros(n)], axis=1),
        np.tile([1.0, 0.0, 0.0, 0.0], (n, 1)),
        np.tile([0.55 * cell, 0.55 * cell, 1e-3], (n, 1)),
        np.full(n, 0.98),
        from_rgb(np.full((n, 3), 0.5)),
    )


def range_errors(make: type) -> dict:
    """Return errors of ranges to a plane seen from 2 m above it, out to 25 m."""
    beams = tuple(np.linspace(-40.0, -5.0, 24))
    pattern = LidarPattern((SpinningLidar("one", 0, (0.0, 0.0, 2.0), beams, 360),))
    rays = make_rays(pattern)
    exact = -rays.origins[:, 2] / rays.directions[:, 2]
    error = np.abs(make(pattern).cast([tiled_plane()], np.eye(4)).ranges - exact)
    return {"median_m": round(float(np.median(error)), 5), "largest_m": round(float(error.max()), 5)}


def agreement(left: Returns, right: Returns) -> float:
    """Return the share of rays that agree to one part in a million."""
    return float(np.isclose(left.ranges, right.ranges, rtol=1e-6, equal_nan=True).mean())


def time_caster(caster: RayCaster, scene: PosedScene, noise: FlatGaussians) -> dict:
    parts = (scene.solid, scene.moving)
    street_s = median_seconds(lambda: caster.cast(parts, scene.scene_from_ego), REPEATS)
    # Time spent computing does not suffer from other work on the machine.
    busy_s = median_seconds(lambda: caster.cast(parts, scene.scene_from_ego), REPEATS, time.process_time)
    noise_s = median_seconds(lambda: caster.cast((noise,), np.eye(4)), REPEATS)
    returns = caster.cast(parts, scene.scene_from_ego)
    return {
        "street_s_per_cloud": round(street_s, 4),
        "street_core_s_per_cloud": round(busy_s, 4),
        "random_s_per_cloud": round(noise_s, 4),
        "street_returns": int(np.isfinite(returns.ranges).sum()),
    }


def time_trust(scene: PosedScene) -> dict:
    backend, rig = CpuBackend(), nuplan_rig(320, 180)
    return {
        name: round(median_seconds(lambda: coverage(backend, scene, rig), REPEATS, clock), 4)
        for name, clock in (("s_per_decision", time.perf_counter), ("core_s_per_decision", time.process_time))
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gaussians", type=int, default=150_000, help="size of the random scene")
    arguments = parser.parse_args()
    pattern, vehicle = nuplan_lidars(), VehicleParams()
    scene, noise = street(), random_gaussians(arguments.gaussians)
    cpu = CpuCaster(pattern, vehicle)
    report = {
        "setting": {
            "rays_of_five_lidars": pattern.num_rays,
            "past_the_own_vehicle": int(make_rays(pattern, vehicle).clear.sum()),
            "gaussians_of_the_street": len(scene.solid) + len(scene.moving),
            "random_gaussians": arguments.gaussians,
            "cores": os.cpu_count(),
        },
        "plane": range_errors(CpuCaster),
        "cpu": time_caster(cpu, scene, noise),
        "trust": time_trust(scene),
    }
    try:
        cuda = TorchCaster(pattern, vehicle)
    except RenderBackendError as error:
        report["cuda"] = {"skipped": str(error)}
    else:
        parts = (scene.solid, scene.moving)
        pair = [caster.cast(parts, scene.scene_from_ego) for caster in (cpu, cuda)]
        report["cuda"] = time_caster(cuda, scene, noise) | {"agrees_with_cpu": agreement(*pair)}
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
