"""Times rendering against its budgets, and compares gsplat with images drawn on a processor.

python benchmarks/rendering.py                           JSON with times of every backend that runs here
python benchmarks/rendering.py --write-golden FILE       scenes and their processor images, to take to a GPU
python benchmarks/rendering.py --compare-golden FILE     PSNR of gsplat on those scenes; fails below 45 dB
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from rendering_baseline import published_way

from simengine.datatypes.agents import AgentStates, AgentTracks, AgentType
from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.lights import LightState, TrafficLights
from simengine.datatypes.map import AreaKind, Lane, MapArea, Roadblock, VectorMap
from simengine.datatypes.vehicle import VehicleParams
from simengine.errors import RenderBackendError
from simengine.render.backend import RenderBackend, RigRequest
from simengine.render.gaussians import FlatGaussians, concatenate
from simengine.render.jpeg import JpegPool
from simengine.render.rig import nuplan_rig
from simengine.render.sh import from_rgb
from simengine.render.shutter import shutter_poses
from simengine.scenario.scenario import Scenario

JPEG_QUALITY = 92
CPU_BUDGET = 5.0
GPU_BUDGET = 60.0
MIN_PSNR = 45.0
_FIELDS = ("means", "quats", "scales", "opacities", "sh")


def random_gaussians(count: int, degree: int = 0, reach: float = 60.0, seed: int = 0) -> FlatGaussians:
    """Return a noisy world of `count` Gaussians within `reach` [m] and mostly near the ground."""
    rng = np.random.default_rng(seed)
    means = rng.uniform(-reach, reach, (count, 3))
    means[:, 2] = rng.uniform(-0.5, 8.0, count) * rng.random(count)
    sh = rng.normal(0.0, 0.1, (count, (degree + 1) ** 2, 3))
    sh[:, :1] = from_rgb(rng.random((count, 3)))
    quats = rng.normal(size=(count, 4))
    return FlatGaussians(means, quats, rng.uniform(0.02, 0.3, (count, 3)), rng.uniform(0.3, 1.0, count), sh)


def street_scenario(frames: int = 51, dt: float = 0.1) -> Scenario:
    """Return a straight street with traffic, people, cones, a crosswalk and a light."""
    x = np.arange(-80.0, 160.0, 5.0)
    lanes = {
        f"lane_{k}": Lane(
            f"lane_{k}",
            np.stack([x, np.full_like(x, 3.5 * k)], axis=1),
            np.zeros((0, 2)),
            "road",
            left=(f"lane_{k + 1}",) if k < 2 else (),
            right=(f"lane_{k - 1}",) if k else (),
        )
        for k in range(3)
    }
    ring = np.array([[x[0], -1.75], [x[-1], -1.75], [x[-1], 8.75], [x[0], 8.75]])
    crosswalk = np.array([[38.0, -1.75], [42.0, -1.75], [42.0, 8.75], [38.0, 8.75]])
    t = np.arange(frames) * dt
    kinds = (
        [AgentType.VEHICLE] * 14
        + [AgentType.PEDESTRIAN] * 4
        + [AgentType.TRAFFIC_CONE] * 4
        + [AgentType.CYCLIST] * 2
    )
    pose = np.zeros((len(kinds), frames, 3))
    for row, kind in enumerate(kinds):
        moving = 6.0 if kind is AgentType.VEHICLE else 0.0
        pose[row, :, 0] = (
            -50.0 + 11.0 * (row % 14) + moving * t + (4.0 if kind is not AgentType.VEHICLE else 0.0)
        )
        pose[row, :, 1] = 3.5 * (1 + row % 2) if kind is AgentType.VEHICLE else -3.0
    size = {AgentType.VEHICLE: (4.6, 1.9, 1.6), AgentType.CYCLIST: (1.8, 0.7, 1.7)}
    agents = AgentTracks(
        tuple(f"agent_{k}" for k in range(len(kinds))),
        np.array(kinds, np.int8),
        pose,
        np.gradient(pose[..., :2], dt, axis=1),
        np.array([size.get(kind, (0.6, 0.6, 1.4)) for kind in kinds]),
        np.ones((len(kinds), frames), bool),
    )
    return Scenario(
        "benchmark-street",
        "benchmark",
        "street",
        dt,
        1_600_000_000_000_000 + (t * 1e6).astype(np.int64),
        15,
        agents,
        EgoTrack(
            np.stack([8.0 * t, 0 * t, 0 * t], 1), np.stack([8.0 + 0 * t, 0 * t], 1), np.zeros((frames, 2))
        ),
        VehicleParams(),
        VectorMap(
            lanes,
            {"road": Roadblock("road", ring, tuple(lanes))},
            (MapArea("cw", AreaKind.CROSSWALK, crosswalk),),
        ),
        TrafficLights(("lane_0",), np.full((1, frames), LightState.RED, np.int8), np.array([[36.0, 0.0]])),
        ("road",),
    )


def agents_at(scenario: Scenario, frame: int) -> AgentStates:
    """Return the logged agents of one frame."""
    tracks = scenario.agents
    rows = np.flatnonzero(tracks.valid[:, frame])
    ids = tuple(tracks.ids[row] for row in rows)
    return AgentStates(
        ids, tracks.types[rows], tracks.pose[rows, frame], tracks.velocity[rows, frame], tracks.size[rows]
    )


def median_seconds(
    work: Callable[[], object], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the median time of `work` after two warm-up calls."""
    for _ in range(2):
        work()
    times = []
    for _ in range(repeats):
        start = clock()
        work()
        times.append(clock() - start)
    return float(np.median(times))


def lenses(gaussians: object, width: int, height: int, on_device: bool = False) -> dict[str, RigRequest]:
    """Return the eight cameras through each kind of lens; the rolling shutter is read while driving at 15 m/s."""
    straight, bent = nuplan_rig(width, height), nuplan_rig(width, height, distortion=True)
    poses = np.stack([camera.ego_from_cam for camera in straight])
    start, end = shutter_poses(bent, np.zeros(3), np.array([15.0, 0.0]), 0.2, 0.03)
    kinds = {
        "pinhole": RigRequest(gaussians, straight, poses),
        "native": RigRequest(gaussians, bent, poses, lens="native"),
        "warp": RigRequest(gaussians, bent, poses, lens="warp"),
        "native_rolling_shutter": RigRequest(gaussians, bent, start, end, lens="native"),
    }
    return {name: replace(request, on_device=on_device) for name, request in kinds.items()}


def time_cpu() -> dict:
    from simengine.render.cpu_backend import CpuBackend
    from simengine.render.lift import lift
    from simengine.render.renderer import SceneRenderer

    backend, noise = CpuBackend(), random_gaussians(150_000)
    requests = lenses(noise, 320, 180)
    rig, poses = requests["pinhole"].cameras, requests["pinhole"].world_from_cam

    def rigs_per_s(work: Callable[[], object]) -> dict[str, float]:
        # Time spent computing does not suffer from other work on the machine.
        busy = median_seconds(work, 7, time.process_time)
        return {"rigs_per_s": round(1.0 / median_seconds(work, 7), 1), "core_seconds": round(busy, 3)}

    def once_per_camera() -> None:
        for k, camera in enumerate(rig):
            # A set that is never seen again shares nothing between cameras.
            fresh = FlatGaussians(*(getattr(noise, field) for field in _FIELDS))
            backend.render(fresh, [camera], poses[k : k + 1])

    scenario = street_scenario()
    renderer = SceneRenderer(backend)
    scene = renderer.load(scenario)
    agents = agents_at(scenario, 15)
    street = median_seconds(lambda: renderer.render(scenario.ego.pose[15], agents, rig, 15), 7)
    return {
        "setting": f"8 cameras 320x180, 150,000 Gaussians, {os.cpu_count()} cores",
        "budget_rigs_per_s": CPU_BUDGET,
        "random": {
            name: rigs_per_s(lambda request=request: backend.render_many([request]))
            for name, request in requests.items()
        },
        "random_once_per_camera": rigs_per_s(once_per_camera),
        "lifted_street": {
            "rigs_per_s": round(1.0 / street, 1),
            "gaussians": scene.num_gaussians,
            "lift_s": round(median_seconds(lambda: lift(scenario), 3), 2),
        },
    }


def time_gsplat() -> dict:
    from simengine.render.gsplat_backend import GsplatBackend

    try:
        backend = GsplatBackend()
    except RenderBackendError as error:
        return {"skipped": str(error)}
    import torch

    def rate(work: Callable[[], object], repeats: int = 20, rigs: int = 1) -> float:
        def synchronised() -> None:
            work()
            torch.cuda.synchronize()

        return round(rigs / median_seconds(synchronised, repeats), 1)

    scene = random_gaussians(1_950_000, seed=1), random_gaussians(50_000, seed=2)
    on_device, to_host = lenses(scene, 1920, 1080, on_device=True), lenses(scene, 1920, 1080)
    pool = JpegPool(threads=min(8, os.cpu_count() or 1), max_pending=64)

    def to_jpeg() -> None:
        (rig,) = backend.render_many([to_host["pinhole"]])
        for file in [pool.submit(image, JPEG_QUALITY) for image in rig.rgb]:
            file.result()

    nodes = [scene[0], *(random_gaussians(1_000, seed=10 + k) for k in range(50))]
    rig, poses = on_device["native"].cameras, on_device["native"].world_from_cam
    small = [lenses(random_gaussians(150_000, seed=k), 480, 270, True)["pinhole"] for k in range(8)]
    report = {
        "setting": f"8 cameras 1920x1080, 2,000,000 Gaussians, {torch.cuda.get_device_name()}",
        "budget_rigs_per_s": GPU_BUDGET,
        "rigs_per_s_on_device": {
            name: rate(lambda request=request: backend.render_many([request]))
            for name, request in on_device.items()
        },
        "rigs_per_s_in_host_memory": rate(lambda: backend.render_many([to_host["pinhole"]])),
        "rigs_per_s_as_jpeg": rate(to_jpeg, 5),
        "rigs_per_s_published_way": rate(published_way(nodes, rig, poses), 5),
        "eight_scenes_480x270_150k": {
            "rigs_per_s_in_one_call": rate(lambda: backend.render_many(small), rigs=8),
            "rigs_per_s_one_by_one": rate(lambda: [backend.render_many([r]) for r in small], rigs=8),
        },
        "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2),
    }
    pool.close()
    return report


def golden_scenes() -> dict[str, tuple[FlatGaussians, np.ndarray]]:
    """Return name -> Gaussians and camera poses (8, 4, 4) in their frame."""
    from simengine.geometry.se3 import transform_from_pose
    from simengine.render.lift import lift
    from simengine.render.scene import agent_node, compose

    mounts = np.stack([camera.ego_from_cam for camera in nuplan_rig()])
    scenario = street_scenario()
    scene = lift(scenario)
    agents = agents_at(scenario, 15)
    flat = compose(
        scene, {agent_node(i): transform_from_pose(p) for i, p in zip(agents.ids, agents.pose, strict=True)}
    )
    street = transform_from_pose(scenario.ego.pose[15]) @ mounts
    street[:, :3, 3] -= scene.origin
    return {
        "street": (flat, street),
        "noise_degree_0": (random_gaussians(20_000, seed=3), mounts),
        "noise_degree_3": (random_gaussians(4_000, degree=3, reach=25.0, seed=4), mounts),
    }


def write_golden(path: Path, width: int = 480, height: int = 270) -> None:
    from simengine.render.cpu_backend import CpuBackend

    rig = nuplan_rig(width, height)
    stored: dict[str, np.ndarray] = {"size": np.array([width, height])}
    for name, (gaussians, poses) in golden_scenes().items():
        drawn = CpuBackend().render(gaussians, rig, poses, want_depth=True)
        stored |= {f"{name}/{field}": getattr(gaussians, field) for field in _FIELDS}
        stored |= {
            f"{name}/poses": poses,
            f"{name}/rgb": np.stack(drawn.rgb),
            f"{name}/depth": np.stack(drawn.depth),
        }
    temporary = path.with_suffix(".tmp.npz")
    np.savez_compressed(temporary, **stored)
    temporary.replace(path)


def psnr(left: np.ndarray, right: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio of two byte images [dB], 99 if they are equal."""
    error = np.mean((left.astype(np.float64) - right.astype(np.float64)) ** 2)
    return 99.0 if error == 0.0 else float(10.0 * np.log10(255.0**2 / error))


def compare_golden(path: Path, backend: RenderBackend) -> dict[str, dict[str, float]]:
    """Return scene -> PSNR of every camera and the share of pixels whose depth agrees to 1 %."""
    report: dict[str, dict[str, float]] = {}
    with np.load(path, allow_pickle=False) as stored:
        width, height = stored["size"].tolist()
        rig: tuple[CameraCalibration, ...] = nuplan_rig(width, height)
        for name in sorted({key.split("/")[0] for key in stored.files if "/" in key}):
            gaussians = concatenate(
                [FlatGaussians(**{field: stored[f"{name}/{field}"] for field in _FIELDS})]
            )
            drawn = backend.render(gaussians, rig, stored[f"{name}/poses"], want_depth=True)
            assert drawn.depth is not None
            report[name] = {
                camera.name: round(psnr(image, golden), 2)
                for camera, image, golden in zip(rig, drawn.rgb, stored[f"{name}/rgb"], strict=True)
            }
            depth = stored[f"{name}/depth"]
            agree = np.abs(np.stack(drawn.depth) - depth) <= 0.01 * depth + 1e-3
            report[name]["depth_agrees"] = round(float(agree.mean()), 4)
    return report


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write-golden", type=Path)
    parser.add_argument("--compare-golden", type=Path)
    parser.add_argument("--skip-cpu", action="store_true", help="time only the GPU")
    options = parser.parse_args()
    if options.write_golden:
        write_golden(options.write_golden)
        return 0
    if options.compare_golden:
        from simengine.render.gsplat_backend import GsplatBackend

        report = compare_golden(options.compare_golden, GsplatBackend())
        print(json.dumps(report, indent=2))
        worst = min(
            value for scene in report.values() for key, value in scene.items() if key != "depth_agrees"
        )
        return 0 if worst >= MIN_PSNR else 1
    report = {} if options.skip_cpu else {"cpu": time_cpu()}
    report["gsplat"] = time_gsplat()
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
