"""The whole official evaluation of a golden scene from its inputs alone: nothing of its results is used.

As a script it prints every score with all digits, to be compared between processes:
`python tests/official_score.py [THREADS]`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from pdm_closed_golden import golden_input
from pdm_golden import FOLDER, load_golden
from simengine.dynamics.proposals import reference_poses
from simengine.dynamics.simulate import simulate
from simengine.geometry.se2 import shift_forward
from simengine.metrics.pdm.map_areas import drivable_map
from simengine.metrics.pdm.observation import observation_from_tracks
from simengine.metrics.pdm.scene import PdmScene
from simengine.metrics.pdm.scorer import PdmBatch, score_batch
from simengine.pdm_closed.planner import plan_pdm_closed
from simengine.pdm_closed.reference import tracked_states

COLUMNS = (
    "no_at_fault_collisions",
    "drivable_area_compliance",
    "ego_progress",
    "time_to_collision_within_bound",
    "comfort",
    "driving_direction_compliance",
    "score",
)
"""Columns of `out_pair` in the golden files."""


def simulated_rows(path: Path, threads: int | None = None) -> tuple[np.ndarray, PdmScene]:
    """Return the states (65, 41, 11) of PDM-Closed and the 64 proposals, and the scene they are scored in."""
    golden = load_golden(path)
    data, given = golden.data, golden_input(golden.data)
    time_us = int(data["ego_time_us"])
    plan = plan_pdm_closed(given)
    poses = reference_poses(data["proposal_poses"], 0.5, given.ego[:3], time_us, threads=threads)
    proposals = simulate(given.ego, poses, given.vehicle, 0.1, threads=threads)
    center = shift_forward(given.ego[:3], given.vehicle.rear_axle_to_center)[:2]
    scene = PdmScene(
        given.vehicle,
        observation_from_tracks(golden.tracks),
        drivable_map(given.roads.vector_map, center, 100.0),
        frozenset(plan.guidance.route_lanes),
        plan.guidance.centerline,
    )
    return np.concatenate([tracked_states(plan, given, time_us)[None], proposals]), scene


def official_pairs(path: Path, threads: int | None = None) -> np.ndarray:
    """Return the official result (64, 7) of every proposal, each scored in a batch with PDM-Closed."""
    states, scene = simulated_rows(path, threads)
    rows = []
    for k in range(1, len(states)):
        pair: PdmBatch = score_batch(states[[0, k]], scene, threads)
        rows.append([getattr(pair, name)[1] for name in COLUMNS])
    return np.array(rows)


def main() -> None:
    """Print all scores of one scene, and those of all proposals in one large batch."""
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else None
    path = FOLDER / "scene_009.npz"
    states, scene = simulated_rows(path, threads)
    large = score_batch(np.tile(states, (10, 1, 1)), scene, threads)
    for row in official_pairs(path, threads):
        print(*(float(value).hex() for value in row))
    print(*(float(value).hex() for value in (*large.score, *large.raw_progress)))


if __name__ == "__main__":
    main()
