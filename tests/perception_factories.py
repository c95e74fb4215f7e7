"""Objects around a recorded car, box tables by hand, and a perception model small enough for one core."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from alg_factories import CAMERAS, make_log, tiny_model_config
from algengine.datasets.frames import camera_inputs
from algengine.datasets.map_label_files import add_map_truth
from algengine.datasets.map_labels import MapFrame
from algengine.datasets.object_labels import ObjectRange, draw_objects, objects_path, save_objects
from algengine.engine.synthetic import synthetic_rig
from algengine.evaluation.boxes import BoxTable
from algengine.models.bev.grid import BEVGrid
from algengine.structures.planning_sample import PlanningDataSample
from factories import make_tracks
from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.observation_log import ObservationLog
from simengine.datatypes.record import RolloutRecord

AREA = {"x_range": (-12.8, 51.2), "y_range": (-25.6, 25.6)}


def make_agents(frames: int, seed: int = 0, count: int = 3) -> AgentTracks:
    """Return agents that drive straight on beside the road at different speeds."""
    rng = np.random.default_rng(seed)
    pose = np.zeros((count, frames, 3))
    speed = np.linspace(0.0, 9.0, count)
    pose[:, :, 0] = 8.0 + 9.0 * np.arange(count)[:, None] + speed[:, None] * 0.1 * np.arange(frames)
    pose[:, :, 1] = rng.uniform(-12.0, 12.0, count)[:, None]
    velocity = np.zeros((count, frames, 2))
    velocity[..., 0] = speed[:, None]
    return replace(make_tracks(pose), velocity=velocity)


def make_record(log: ObservationLog, agents: AgentTracks) -> RolloutRecord:
    """Return the record of a recorded rollout with other road users."""
    count = len(log.ego_states)
    return RolloutRecord(
        token=log.token,
        protocol="navsim",
        traffic="NR",
        seed=0,
        dt=log.state_dt,
        timestamps_us=np.arange(count) * 100_000,
        ego_states=log.ego_states,
        agents=agents,
        lights=TrafficLights.empty(count),
        decision_frames=log.decision_frames,
        plans=np.zeros((log.num_decisions, 40, 3)),
        plan_dt=0.1,
        plan_indices=np.full(log.num_decisions, -1),
        commands=np.ones(log.num_decisions, np.int8),
    )


def write_perception_recordings(run: Path, count: int = 2, decisions: int = 12) -> Path:
    """Write recordings with objects below `run` and return the folder of the observation logs."""
    for i in range(count):
        log = make_log(f"log_{i:03d}", 4.0 + 2.0 * i, 0.02 * (i % 3 - 1), decisions=decisions)
        path = run / "observations" / f"{log.token}.npz"
        log.save(path)
        agents = make_agents(len(log.ego_states), seed=i)
        save_objects(draw_objects(make_record(log, agents)), objects_path(path))
    return run / "observations"


def tiny_uniad_config(**changes: object) -> dict:
    """Return the config of a perception model that trains in seconds on one core."""
    config = tiny_model_config()
    del config["head"]
    config["neck"]["out_channels"] = 32
    config["bev_encoder"] |= {"dims": 32, "num_cameras": len(CAMERAS), **AREA}
    head = {
        "type": "TrackHead",
        "dims": 32,
        "heads": 2,
        "num_query": 12,
        "capacity": 8,
        "num_layers": 2,
        "points": 2,
        "z_range": (-2.0, 4.0),
        "cell": 6.4,
        "dropout": 0.0,
        "noise": {"overlap": 0.0, "drop": 0.0, "false_positives": 0.3},
        **AREA,
    }
    return config | {"type": "UniAD", "track_head": head} | changes


def noise_clip(config: dict, frames: int, seed: int = 0) -> dict:
    """Return `inputs` and `data_samples` of one clip for a model: noise for images, moving boxes, one line."""
    generator = torch.Generator().manual_seed(seed)
    size, encoder = tuple(config["image_size"]), config["bev_encoder"]
    count = encoder["num_cameras"]
    grid = BEVGrid(tuple(encoder["x_range"]), tuple(encoder["y_range"]), encoder["cell"])
    rig = {k: torch.from_numpy(v) for k, v in camera_inputs(synthetic_rig(count, size), size).items()}
    shape = (frames, count, size[1], size[0], 3)
    inputs = rig | {
        "images": torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8),
        "motion": torch.tensor([3.0, 0.0, 0.05]).expand(frames, 3),
        "velocity": torch.tensor([6.0, 0.0]).expand(frames, 4, 2),
        "acceleration": torch.zeros(frames, 4, 2),
    }
    sample = PlanningDataSample(metainfo={"token": f"noise_{seed}", "first_frame": 0})
    log = make_log("noise", 6.0, decisions=frames)
    labels = draw_objects(make_record(log, make_agents(len(log.ego_states), seed, 12)))
    sample.gt_objects = labels.clip(range(frames), ObjectRange(grid.x_range, grid.y_range))
    mask = np.zeros((1, grid.rows, grid.cols), bool)
    mask[0, grid.rows // 3, 2:-2] = True
    add_map_truth(sample, MapFrame(np.zeros(1, np.int64), mask, ~mask[0]))
    return {"inputs": inputs, "data_samples": sample}


def make_table(rows: list[tuple], scores: list[float] | None = None) -> BoxTable:
    """Return a table of boxes of 4 x 2 x 1.5 m; rows are frame, x, y, id."""
    columns = np.array(rows, float).reshape(-1, 4)
    boxes = np.zeros((len(columns), 9))
    boxes[:, :2], boxes[:, 3:6] = columns[:, 1:3], (4.0, 2.0, 1.5)
    frame, ids = columns[:, 0].astype(np.int64), columns[:, 3].astype(np.int64)
    given = np.ones(len(columns)) if scores is None else np.array(scores, float)
    return BoxTable(frame, np.zeros_like(frame), boxes, np.zeros_like(frame), ids, given)
