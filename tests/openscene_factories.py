"""OpenScene files by hand, in the exact schema: info files, splits, score caches, images; and a simulated arc."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from export_factories import VOCABULARY
from files_factories import GreyRenderer
from rewards_factories import busy_scenario
from simengine.agents.simple import LogReplayPolicy
from simengine.agents.traffic import LogReplay
from simengine.dynamics.tracking import PerfectTracking
from simengine.export.layout import openscene_of
from simengine.export.openscene import OpenSceneRecorder
from simengine.render.rig import nuplan_rig
from simengine.rewards.scorer import VocabularyScorer
from simengine.runner.rewards import RewardRecorder
from simengine.runner.run_directory import RunDirectory
from simengine.runner.worker import PolicySource, Worker, WorkerSettings
from simengine.sim.loop import Simulation
from simengine.sim.protocol import NAVSIM

CAMERAS = ("CAM_F0", "CAM_B0")
SIZE = (32, 18)
COLUMNS = (
    "no_at_fault_collisions", "drivable_area_compliance", "ego_progress", "time_to_collision_within_bound", "comfort",
    "score",
)  # fmt: skip
LIDAR = np.array([[1.0, 0.0, 0.0, 1.5], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.6], [0.0, 0.0, 0.0, 1.0]])
SPEED, RATE = 6.0, 0.1


def arc_pose(time: float, speed: float = SPEED, rate: float = RATE) -> np.ndarray:
    """Return x, y, yaw after `time` on an arc that starts at (1000, 2000) and heads a little south of east."""
    yaw, start = -0.2 + rate * time, -0.2
    x = 1000.0 + speed / rate * (np.sin(yaw) - np.sin(start))
    y = 2000.0 - speed / rate * (np.cos(yaw) - np.cos(start))
    return np.array([x, y, yaw])


def matrix(pose: np.ndarray) -> np.ndarray:
    c, s = np.cos(pose[2]), np.sin(pose[2])
    return np.array([[c, -s, 0.0, pose[0]], [s, c, 0.0, pose[1]], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])


def seen_from(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return the lidar pose at ego pose `there` as x, y, yaw in the lidar frame at `here`, by matrices."""
    m = np.linalg.inv(matrix(here) @ LIDAR) @ matrix(there) @ LIDAR
    return np.array([m[0, 3], m[1, 3], np.arctan2(m[1, 0], m[0, 0])])


def make_info(log: str, index: int, future_frames: int = 8) -> dict:
    """Return a frame of an arc as the published converter writes it, without what only perception reads."""
    time = 0.5 * index
    pose = arc_pose(time)
    command = np.zeros(4, int)
    command[index % 3] = 1
    can_bus = np.zeros(18)
    can_bus[:3] = [pose[0], pose[1], 0.0]
    can_bus[3:7] = [np.cos(pose[2] / 2), 0.0, 0.0, np.sin(pose[2] / 2)]
    can_bus[7:10], can_bus[10:13], can_bus[13:16] = (
        [0.1 * index, 0.6, 0.0],
        [SPEED, 0.0, 0.0],
        [0.0, 0.0, RATE],
    )
    boxes = np.zeros((1, 8, 9), np.float32)
    mask = np.zeros((1, 8, 1), bool)
    for k in range(future_frames):
        boxes[0, k, [0, 1, 6]] = seen_from(pose, arc_pose(time + 0.5 * (k + 1)))
        mask[0, k] = True
    past, past_mask = np.zeros((1, 3, 9), np.float32), np.zeros((1, 3, 1), bool)
    for k in range(3):
        if index - 3 + k >= 0:
            past[0, k, [0, 1, 6]] = seen_from(pose, arc_pose(time + 0.5 * (k - 3)))
            past_mask[0, k] = True
    rig = [camera for camera in nuplan_rig(64, 36) if camera.name in CAMERAS]
    cams = {}
    for camera in sorted(rig, key=lambda c: CAMERAS.index(c.name)):
        on_axle = camera.ego_from_cam.copy()
        on_axle[2, 3] -= 0.38
        cams[camera.name] = {
            "data_path": f"{log}/{camera.name}/{index:02d}.jpg",
            "sensor2lidar_rotation": on_axle[:3, :3],
            "sensor2lidar_translation": on_axle[:3, 3],
            "cam_intrinsic": camera.intrinsic,
            "distortion": camera.distortion,
        }
    return {
        "token": f"{log}_{index:02d}",
        "frame_idx": index,
        "timestamp": 1_600_000_000_000_000 + round(time * 1e6),
        "log_name": log,
        "log_token": log,
        "scene_name": log,
        "scene_token": f"clip-{index // 5}",
        "can_bus": can_bus,
        "ego2global": matrix(pose),
        "lidar2ego": LIDAR,
        "lidar2global": matrix(pose) @ LIDAR,
        "driving_command": command,
        "command": int(command.argmax()),
        "cams": cams,
        "gt_pre_bbox_sdc_lidar": past,
        "gt_pre_bbox_sdc_mask": past_mask,
        "gt_pre_command_sdc": np.array(
            [[[(index - 3 + k) % 3 if index - 3 + k >= 0 else 0] for k in range(3)]]
        ),
        "gt_fut_bbox_sdc_lidar": boxes,
        "gt_fut_bbox_sdc_mask": mask,
        "anns": {"gt_boxes": np.zeros((0, 7)), "gt_names": np.array([], "<U7")},
    }


def pattern(seed: int, size: tuple[int, int]) -> np.ndarray:
    """Return a smooth image (H, W, 3) that JPEG keeps well and that tells `seed`."""
    y, x = np.mgrid[: size[1], : size[0]]
    planes = [127 + 100 * np.sin(0.1 * (x * (c + 1) + y) / 4 + seed) for c in range(3)]
    return np.stack(planes, -1).astype(np.uint8)


def write_images(infos: list[dict], root: Path, size: tuple[int, int] = (64, 36)) -> None:
    for info in infos:
        for c, entry in enumerate(info["cams"].values()):
            path = root / entry["data_path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pattern(10 * info["frame_idx"] + c, size)).save(path, quality=95)


def dump(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(value))
    return path


def write_filter(path: Path, tokens: list[str], logs: list[str]) -> Path:
    """Write a NAVSIM scene filter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = {"_target_": "navsim.common.dataclasses.SceneFilter", "_convert_": "all", "num_history_frames": 4}
    path.write_text(yaml.safe_dump({**body, "num_future_frames": 10, "log_names": logs, "tokens": tokens}))
    return path


def make_scores(tokens: list[str], size: int = 12) -> dict[str, dict[str, np.ndarray]]:
    """Return the original's cache of made-up scores that differ between tokens and plans."""
    table = {}
    for seed, token in enumerate(tokens):
        rng = np.random.default_rng(seed)
        columns = {name: rng.integers(0, 2, size).astype(np.float32) for name in COLUMNS}
        columns["ego_progress"] = rng.random(size).astype(np.float32)
        columns["score"] = rng.random(size).astype(np.float32)
        table[token] = columns
    return table


class OpenScene:
    """A small data set of two logs below `root`."""

    def __init__(
        self, root: Path, frames: int = 16, logs: tuple[str, ...] = ("2021.log-a", "2021.log-b")
    ) -> None:
        self.root, self.logs = root, logs
        self.infos = [make_info(log, i) for log in logs for i in range(frames)]
        self.tokens = [f"{log}_{i:02d}" for log in logs for i in range(4, frames - 4, 3)]
        self.ann_file = dump(root / "merged" / "nuplan_openscene_test.pkl", self.infos)
        self.img_root = root / "sensor_blobs" / "test"
        write_images(self.infos, self.img_root)
        self.split = write_filter(root / "splits" / "small.yaml", self.tokens, list(logs))
        self.scores = make_scores(self.tokens)
        self.pdm = dump(root / "caches" / "pdm_8192_gt_cache_test.pkl", self.scores)

    def options(self, **changes: object) -> dict:
        """Return the config of a data set."""
        return {
            "type": "OpenSceneDataset",
            "ann_file": str(self.ann_file),
            "img_root": str(self.img_root),
            "nav_filter_path": str(self.split),
            "image_size": SIZE,
            **changes,
        }


class PatternRenderer(GreyRenderer):
    """Draws patterns that tell the camera and the frame."""

    def render(self, ego_pose, agents, cameras, frame_time, ego_motion=None):
        return {
            c.name: pattern(7 * i + round(10 * frame_time), (c.width_px, c.height_px))
            for i, c in enumerate(cameras)
        }


def arc_scenario(token: str = "arc"):
    """Return a drive along an arc, far from the origin of the map."""
    scenario = busy_scenario(token)
    times = scenario.dt * np.arange(scenario.num_frames)
    poses = np.stack([arc_pose(t) - [1000.0, 2000.0, 0.0] for t in times])
    velocity = np.tile([SPEED, 0.0], (len(times), 1))
    ego = replace(scenario.ego, pose=poses, velocity=velocity, acceleration=0.0 * velocity)
    return replace(scenario, ego=ego, global_from_world=np.array([664_000.0, 3_998_000.0]))


class _Handle:
    def __init__(self, token: str) -> None:
        self.token = token

    def load(self):
        return arc_scenario(self.token)


def drive_arcs(run: Path, tokens: tuple[str, ...] = ("arc_0",)) -> None:
    """Drive arcs with patterns as images; frames, rewards and observations are left below `run`."""
    folder, tracker = openscene_of(run), PerfectTracking()
    rewards = RewardRecorder(VocabularyScorer(VOCABULARY, "navsim_v1", 1), tracker, "both")
    frames = OpenSceneRecorder(folder, NAVSIM.history_length, NAVSIM.steps_per_decision, VOCABULARY)
    simulation = Simulation(NAVSIM, tracker, LogReplay, PatternRenderer(), nuplan_rig(*SIZE))
    source = PolicySource(lambda scenario, _: LogReplayPolicy(scenario))
    settings = WorkerSettings(0, "NR", "navsim_v1", record_cameras=None)
    worker = Worker(simulation, source, RunDirectory(run, folder.root), settings, rewards, frames)
    for token in tokens:
        row = worker.run(_Handle(token))
        assert not row.error, row.error
