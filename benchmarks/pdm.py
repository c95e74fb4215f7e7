"""Times the PDM score against its budgets: proposals simulated and scored per scene, on processor and GPU.

python benchmarks/pdm.py                          JSON: medians at 8,192 proposals, scaling, first calls, memory
python benchmarks/pdm.py --vocabulary plans.npy   with a vocabulary (K, N, 3) of your own at 10 Hz
python benchmarks/pdm.py --quick                  no scaling and no cold starts

The scene is a built-in crossing with vertices every metre; the plans are a fan of speeds and curvatures. "Cold" is
the first call of a new process, once with the compiled code on disk and once with an empty cache.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import shapely

from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.datatypes.ego import STATE_SIZE, StateIndex
from simengine.datatypes.map import VectorMap
from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics.vocabulary import VocabularySimulator
from simengine.geometry import polyline
from simengine.metrics.pdm.map_areas import DrivableMap, drivable_map
from simengine.metrics.pdm.observation import observation_from_tracks
from simengine.metrics.pdm.scene import PdmScene
from simengine.metrics.pdm.scorer import score_batch
from simengine.world import places

PROPOSALS = 8192
FRAMES, DT = 51, 0.1
BUDGETS_MS = {"cpu": {"simulate": 60.0, "score": 200.0}, "cuda": {"simulate": 5.0, "score": 10.0}}
SCALES = (1, 16, 256, 1024, 8192, 65536)
TRACKS = (10, 90)


def fan(count: int, seed: int = 0) -> np.ndarray:
    """Return plans (count, 40, 3) at 10 Hz: random speeds, accelerations, curvatures and their rates."""
    rng = np.random.default_rng(seed)
    t = np.arange(1, 41) * DT
    speed = rng.uniform(0.0, 14.0, (count, 1)) + rng.uniform(-3.0, 2.0, (count, 1)) * t
    speed = np.maximum(speed, 0.0)
    curvature = rng.normal(0.0, 0.02, (count, 1)) + rng.normal(0.0, 0.01, (count, 1)) * t
    yaw = np.cumsum(speed * curvature * DT, axis=1)
    steps = speed * DT
    return np.stack([np.cumsum(steps * np.cos(yaw), 1), np.cumsum(steps * np.sin(yaw), 1), yaw], axis=-1)


def dense_map(vector_map: VectorMap, center: np.ndarray) -> DrivableMap:
    """Return the drivable map with a vertex every metre, as surveyed maps have them."""
    made = drivable_map(vector_map, center, 100.0)
    return DrivableMap(made.ids, made.layers, shapely.segmentize(made.polygons, 1.0), made.drivable_layers)


def make_scene(num_tracks: int, seed: int = 0) -> tuple[PdmScene, np.ndarray]:
    """Return a crossing with `num_tracks` moving and standing tracks, and the ego state (11,) before it."""
    rng = np.random.default_rng(seed)
    place = places.crossing(np.random.default_rng(3), "straight", lanes=2)
    line = place.ego_line
    start = polyline.sample(line, 25.0)
    state = np.zeros(STATE_SIZE)
    state[:3], state[StateIndex.VELOCITY_X] = start, 8.0
    lanes = list(place.vector_map.lanes.values())
    pose, speed = np.zeros((num_tracks, FRAMES, 3)), np.where(rng.random(num_tracks) < 0.3, 0.0, 6.0)
    for i in range(num_tracks):
        centerline = lanes[i % len(lanes)].centerline
        first = rng.uniform(0.0, polyline.arc_length(centerline)[-1])
        pose[i] = polyline.sample(centerline, first + speed[i] * DT * np.arange(FRAMES))
    velocity = speed[:, None, None] * np.stack([np.cos(pose[..., 2]), np.sin(pose[..., 2])], axis=-1)
    tracks = AgentTracks(
        tuple(f"track_{i}" for i in range(num_tracks)),
        rng.choice([AgentType.VEHICLE, AgentType.VEHICLE, AgentType.PEDESTRIAN], num_tracks).astype(np.int8),
        pose,
        velocity,
        np.tile([4.6, 1.9, 1.6], (num_tracks, 1)),
        np.ones((num_tracks, FRAMES), bool),
    )
    drivable = dense_map(place.vector_map, start[:2])
    route = frozenset(
        i for i in place.vector_map.lanes if place.vector_map.lanes[i].roadblock_id in place.route
    )
    return PdmScene(VehicleParams(), observation_from_tracks(tracks), drivable, route, line, DT), state


def measure(work: Callable[[], object], runs: int = 9) -> dict[str, float]:
    """Return minimum, median and maximum [ms] of `work` after one call that does not count."""
    work()
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - begin))
    return {
        "min": round(min(times), 2),
        "median": round(float(np.median(times)), 2),
        "max": round(max(times), 2),
    }


def processor(plans: np.ndarray, scales: tuple[int, ...]) -> dict:
    """Return figures of the compiled scorer, with one thread and with one per core."""
    found: dict = {"cores": len(os.sched_getaffinity(0))}
    for tracks in TRACKS:
        scene, state = make_scene(tracks)
        simulator = VocabularySimulator(plans, DT)
        states = simulator.simulate(state)
        figures: dict = {}
        for label, threads in (("1 thread", 1), ("all cores", None)):
            figures[f"simulate, {label}"] = measure(partial(simulator.simulate, state, threads))
            figures[f"score, {label}"] = measure(partial(score_batch, states, scene, threads))
        figures["mean score"] = round(float(score_batch(states, scene).score.mean()), 6)
        found[f"{tracks} tracks, {len(scene.drivable.ids)} polygons"] = figures
    scene, state = make_scene(TRACKS[-1])
    found["scaling"] = {}
    for count in scales:
        simulator = VocabularySimulator(np.resize(plans, (count, *plans.shape[1:])), DT)
        states = simulator.simulate(state)
        found["scaling"][count] = {
            "simulate": measure(partial(simulator.simulate, state), 5)["median"],
            "score": measure(partial(score_batch, states, scene), 5)["median"],
            "peak memory [MB]": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }
    return found


def graphics(plans: np.ndarray, scales: tuple[int, ...]) -> dict:
    """Return figures of the torch scorer on a GPU."""
    import torch

    from simengine.gpu.scene import GpuScene
    from simengine.gpu.scorer import GpuScorer
    from simengine.gpu.scorer import score_batch as score_on_gpu
    from simengine.gpu.simulate import VocabularySimulator as GpuVocabularySimulator

    def timed(work: Callable[[], object]) -> dict[str, float]:
        def until_done() -> None:
            work()
            torch.cuda.synchronize()

        return measure(until_done)

    found: dict = {"device": torch.cuda.get_device_name()}
    for tracks in TRACKS:
        scene, state = make_scene(tracks)
        begin = time.perf_counter()
        on_gpu = GpuScene.upload(scene, "cuda")
        now = torch.as_tensor(state, device="cuda")
        simulator = GpuVocabularySimulator(torch.as_tensor(plans, device="cuda"), DT)
        states = simulator.simulate(now)
        scorer = GpuScorer()
        for _ in range(3):  # operation by operation, then recorded, then replayed
            scorer.score_batch(states, on_gpu)
        torch.cuda.synchronize()
        first = 1e3 * (time.perf_counter() - begin)
        expected = score_batch(VocabularySimulator(plans, DT).simulate(state), scene)
        batch = scorer.score_batch(states, on_gpu)
        found[f"{tracks} tracks"] = {
            "first calls": round(first),
            "upload of a scene": measure(partial(GpuScene.upload, scene, "cuda")),
            "simulate": timed(partial(simulator.simulate, now)),
            "score": timed(partial(scorer.score_batch, states, on_gpu)),
            "score, no graph": timed(partial(score_on_gpu, states, on_gpu)),
            "largest difference of a score to the processor": float(
                np.abs(batch.score.cpu().numpy() - expected.score).max()
            ),
        }
    found["scaling"] = {}
    for count in scales:
        simulator = GpuVocabularySimulator(
            torch.as_tensor(np.resize(plans, (count, *plans.shape[1:])), device="cuda"), DT
        )
        torch.cuda.reset_peak_memory_stats()
        states = simulator.simulate(now)
        scorer = GpuScorer()
        scorer.score_batch(states, on_gpu)
        found["scaling"][count] = {
            "simulate": timed(partial(simulator.simulate, now))["median"],
            "score": timed(partial(scorer.score_batch, states, on_gpu))["median"],
            "peak memory [MB]": round(torch.cuda.max_memory_allocated() / 2**20),
        }
    return found


def first_call() -> None:
    """Print how long the first simulation and scoring of this process take [s], imports left out."""
    scene, state = make_scene(TRACKS[0])
    plans = fan(PROPOSALS)
    begin = time.perf_counter()
    states = VocabularySimulator(plans, DT).simulate(state)
    middle = time.perf_counter()
    score_batch(states, scene)
    end = time.perf_counter()
    print(json.dumps({"simulate": round(middle - begin, 2), "score": round(end - middle, 2)}))


def cold_starts() -> dict:
    """Return the first calls of new processes [s]."""
    found = {}
    with tempfile.TemporaryDirectory() as cache:
        for label in ("empty cache", "compiled code on disk"):
            words = [sys.executable, __file__, "--first-call"]
            done = subprocess.run(
                words, env=os.environ | {"NUMBA_CACHE_DIR": cache}, capture_output=True, text=True, check=True
            )
            found[label] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vocabulary", help=".npy file of plans (K, N, 3) at 10 Hz")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--first-call", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.first_call:
        first_call()
        return
    plans = np.load(arguments.vocabulary).astype(np.float64) if arguments.vocabulary else fan(PROPOSALS)
    scales = () if arguments.quick else SCALES
    found = {"proposals": len(plans), "budget [ms]": BUDGETS_MS, "cpu [ms]": processor(plans, scales)}
    try:
        import torch

        if torch.cuda.is_available():
            found["gpu [ms]"] = graphics(plans, scales)
    except ImportError:
        pass
    if not arguments.quick:
        found["cold [s]"] = cold_starts()
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
