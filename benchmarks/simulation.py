"""Times and weighs the closed loop without cameras: reactive traffic at 10 Hz on one core, against real time.

python benchmarks/simulation.py                   JSON: 40 agents, scaling over agents and map, memory of a worker
python benchmarks/simulation.py --quick           no memory, which takes some minutes
python benchmarks/simulation.py --memory 1000     nothing but the memory of a worker over so many scenarios

Times are processor time of one thread, which is what "per core" means and does not depend on what else the machine
does. The ego re-plans every 0.5 s and is driven by the LQR tracker and the kinematic bicycle, as in the `navsim`
protocol. Two places: a straight road of three lanes, and four crossings with stop signs, where everyone has to look
at everyone else.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402

from simengine.agents.simple import LaneSpeedPolicy  # noqa: E402
from simengine.agents.traffic import IdmTraffic  # noqa: E402
from simengine.config.build import build_worker  # noqa: E402
from simengine.config.schema import RecordConfig, RenderConfig, RunConfig  # noqa: E402
from simengine.datatypes.agents import AgentTracks, AgentType  # noqa: E402
from simengine.datatypes.ego import EgoTrack  # noqa: E402
from simengine.datatypes.lights import TrafficLights  # noqa: E402
from simengine.datatypes.map import VectorMap  # noqa: E402
from simengine.datatypes.vehicle import VehicleParams  # noqa: E402
from simengine.dynamics.tracking import LqrTracking  # noqa: E402
from simengine.geometry import polyline  # noqa: E402
from simengine.scenario.scenario import Scenario  # noqa: E402
from simengine.sim.loop import Simulation  # noqa: E402
from simengine.sim.protocol import Protocol  # noqa: E402
from simengine.world import places  # noqa: E402
from simengine.world.places.place import Place  # noqa: E402
from simengine.world.splits import builtin_handles  # noqa: E402

BUDGET_X_REAL_TIME = 100.0
BUDGET_KB_PER_SCENARIO = 10.0
AGENTS = 40
AGENT_COUNTS = (10, 20, 40, 80, 120, 200)
MAP_COPIES = (1, 4, 16, 64)
FRAMES, DT, INITIAL_FRAME = 116, 0.1, 15
GAP = 12.0
MAKE_PLACE: dict[str, Callable[[np.random.Generator], Place]] = {
    "road": lambda rng: places.straight(rng, lanes=3, lane=1),
    "crossings": lambda rng: places.grid(rng, control="all_way"),
}


def busy_scenario(place: Place, num_agents: int, seed: int = 0) -> Scenario:
    """Return a place full of moving vehicles, the ego among them."""
    rng = np.random.default_rng(seed)
    t = np.arange(FRAMES) * DT
    starts = _starts(place, rng)[:num_agents]
    poses = []
    for lane, along in starts:
        line = place.line_of(_onward(place.vector_map, lane, rng))
        poses.append(polyline.sample(line, along + rng.uniform(4.0, 8.0) * t))
    velocity = np.gradient(np.stack(poses)[..., :2], DT, axis=1)
    own = polyline.sample(place.ego_line, 20.0 + 6.0 * t)
    count = len(poses)
    return Scenario(
        token=f"{place.family}_{num_agents}",
        log_name="benchmark",
        map_name=f"builtin_{place.family}",
        dt=DT,
        timestamps_us=1_700_000_000_000_000 + 100_000 * np.arange(FRAMES, dtype=np.int64),
        initial_frame=INITIAL_FRAME,
        agents=AgentTracks(
            tuple(f"vehicle_{i}" for i in range(count)),
            np.full(count, int(AgentType.VEHICLE), np.int8),
            np.stack(poses),
            velocity,
            np.tile([4.6, 1.9, 1.6], (count, 1)),
            np.ones((count, FRAMES), bool),
        ),
        ego=EgoTrack(own, np.tile([6.0, 0.0], (FRAMES, 1)), np.zeros((FRAMES, 2))),
        vehicle=VehicleParams(),
        map=place.vector_map,
        lights=TrafficLights.empty(FRAMES),
        route=place.route,
    )


def _starts(place: Place, rng: np.random.Generator) -> list[tuple[str, float]]:
    """Return lanes and arc lengths at which vehicles may start, in random order; none on the ego's first lane."""
    found = []
    for lane in place.vector_map.lanes.values():
        if not lane.is_connector and lane.id != place.route_lanes[0]:
            length = float(polyline.arc_length(lane.centerline)[-1])
            found += [(lane.id, along) for along in np.arange(GAP, length - GAP, GAP)]
    rng.shuffle(found)
    return [(str(lane), float(along)) for lane, along in found]


def _onward(vector_map: VectorMap, lane: str, rng: np.random.Generator, most: int = 6) -> tuple[str, ...]:
    """Return lanes in a row from `lane` on, turning at random."""
    chain = [lane]
    while len(chain) < most and vector_map.lanes[chain[-1]].successors:
        chain.append(str(rng.choice(vector_map.lanes[chain[-1]].successors)))
    return tuple(chain)


def copied(vector_map: VectorMap, copies: int, apart: float = 600.0) -> VectorMap:
    """Return a map with copies of itself in a square, the first where it was."""
    lanes, blocks, areas, lines = dict(vector_map.lanes), dict(vector_map.roadblocks), [], []
    areas, lines = [*vector_map.areas], [*vector_map.lines]
    side = int(np.ceil(np.sqrt(copies)))
    for k in range(1, copies):
        offset = apart * np.array([k % side, k // side], np.float64)

        def name(ids: Sequence[str], k: int = k) -> tuple[str, ...]:
            return tuple(f"{k}/{one}" for one in ids)

        for lane in vector_map.lanes.values():
            lanes[f"{k}/{lane.id}"] = replace(
                lane,
                id=f"{k}/{lane.id}",
                centerline=lane.centerline + offset,
                polygon=lane.polygon + offset,
                roadblock_id=f"{k}/{lane.roadblock_id}",
                successors=name(lane.successors),
                predecessors=name(lane.predecessors),
                left=name(lane.left),
                right=name(lane.right),
            )
        for block in vector_map.roadblocks.values():
            own = replace(block, id=f"{k}/{block.id}", lane_ids=name(block.lane_ids))
            blocks[own.id] = replace(own, polygon=block.polygon + offset)
        areas += [replace(a, id=f"{k}/{a.id}", polygon=a.polygon + offset) for a in vector_map.areas]
        lines += [replace(a, id=f"{k}/{a.id}", points=a.points + offset) for a in vector_map.lines]
    return VectorMap(lanes, blocks, tuple(areas), tuple(lines))


def episode(simulation: Simulation, scenario: Scenario, line: np.ndarray) -> tuple[float, float]:
    """Return processor time of set-up and of driving one episode [s]."""
    policy = LaneSpeedPolicy(line)
    begin = time.process_time()
    state = simulation.reset(scenario)
    ready = time.process_time()
    for _ in range(simulation.protocol.num_decisions):
        observation = simulation.observe(state, with_images=False)
        state = simulation.step(state, policy.plan(observation, state))
    return ready - begin, time.process_time() - ready


def timed(place: Place, num_agents: int, episodes: int) -> dict:
    """Return times of one place with so many vehicles."""
    protocol = Protocol()
    simulation = Simulation(protocol, LqrTracking(), IdmTraffic)
    scenario = busy_scenario(place, num_agents)
    episode(simulation, scenario, place.ego_line)  # compiles
    setup, driving = np.array([episode(simulation, scenario, place.ego_line) for _ in range(episodes)]).T
    # The fastest episode is the one that other processes disturbed least.
    return {
        "agents": scenario.agents.num_agents,
        "lanes": len(place.vector_map.lanes),
        "setup_ms": round(1e3 * float(np.median(setup)), 1),
        "step_ms": round(1e3 * float(driving.min()) / protocol.num_steps, 3),
        "x_real_time": round(protocol.horizon / float(driving.min()), 1),
        "x_real_time_median": round(protocol.horizon / float(np.median(driving)), 1),
        "x_real_time_with_setup": round(protocol.horizon / float((driving + setup).min()), 1),
    }


def speed(name: str, episodes: int) -> dict:
    """Return how fast 40 reactive vehicles are simulated, beside the budget."""
    result = timed(MAKE_PLACE[name](np.random.default_rng(0)), AGENTS, episodes)
    met = result["x_real_time"] >= BUDGET_X_REAL_TIME
    return result | {"budget_x_real_time": BUDGET_X_REAL_TIME, "met": met}


def scaling(name: str, episodes: int) -> dict:
    """Return times over the number of vehicles, and over the size of the map around 40 of them."""
    place = MAKE_PLACE[name](np.random.default_rng(0))
    larger = [replace(place, vector_map=copied(place.vector_map, copies)) for copies in MAP_COPIES]
    return {
        "agents": [timed(place, count, episodes) for count in AGENT_COUNTS],
        "map": [timed_in(place, whole, episodes) for whole in larger],
    }


def timed_in(place: Place, whole: Place, episodes: int) -> dict:
    """Return times with the vehicles of `place` in the larger map of `whole`."""
    protocol = Protocol()
    simulation = Simulation(protocol, LqrTracking(), IdmTraffic)
    scenario = replace(busy_scenario(place, AGENTS), map=whole.vector_map)
    times = np.array([episode(simulation, scenario, place.ego_line) for _ in range(episodes)])
    return {
        "lanes": len(whole.vector_map.lanes),
        "setup_ms": round(1e3 * float(np.median(times[:, 0])), 1),
        "step_ms": round(1e3 * float(times[:, 1].min()) / protocol.num_steps, 3),
    }


def memory(scenarios: int, every: int = 50, warm_up: int = 300) -> dict:
    """Return the resident memory of one worker that generates, drives and scores so many scenarios."""
    with tempfile.TemporaryDirectory() as folder:
        config = RunConfig(
            split="common_test",
            num_scenarios=scenarios,
            output_dir=folder,
            ego="constant_velocity",
            traffic="R",
            render=RenderConfig(backend="none"),
            record=RecordConfig(cameras="none"),
        )
        worker = build_worker(config)
        samples, failed = [], 0
        for count, handle in enumerate(builtin_handles(config.split, scenarios), start=1):
            failed += worker.run(handle).status != "ok"
            if count % every == 0:
                gc.collect()
                samples.append((count, resident_mb()))
        worker.close()
    counts, sizes = np.array(samples).T
    late = counts >= min(warm_up, counts[-1] / 2)
    first, last = np.triu_indices(int(late.sum()), 1)
    # Pages that are given back and taken again make jumps; the median of all slopes does not see them.
    slopes = (sizes[late][last] - sizes[late][first]) / (counts[late][last] - counts[late][first])
    slope = 1e3 * float(np.median(slopes)) if len(slopes) else float("nan")
    return {
        "scenarios": scenarios,
        "failed": failed,
        "resident_mb": {int(count): round(size, 1) for count, size in samples},
        "first_to_last_mb": round(float(sizes[late][-1] - sizes[late][0]), 1),
        "kb_per_scenario": round(slope, 2),
        "budget_kb_per_scenario": BUDGET_KB_PER_SCENARIO,
        "met": slope <= BUDGET_KB_PER_SCENARIO,
    }


def resident_mb() -> float:
    """Return the resident memory of this process [MB]."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="no memory")
    parser.add_argument("--memory", type=int, metavar="SCENARIOS", help="nothing but memory")
    arguments = parser.parse_args()
    result: dict = {"benchmark": "simulation_without_cameras", "rate_hz": 1.0 / DT}
    if arguments.memory is None:
        result["speed"] = {name: speed(name, arguments.episodes) for name in MAKE_PLACE}
        result["scaling"] = scaling("crossings", max(arguments.episodes // 4, 3))
    if not arguments.quick:
        result["memory"] = memory(arguments.memory or 1000)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
