"""Both halves of the `files` protocol, written from its description alone: nothing of ours is imported here.

They poll as the originals do, only faster, and use the standard pickle, numpy and pandas-free csv.
"""

from __future__ import annotations

import csv
import io
import os
import pickle
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

QUEUE_LENGTH = 4
FRAMES_PER_SCENE = 12
POLL_S = 0.01
PATIENCE_S = 120.0


class ReferencePlanner(threading.Thread):
    """The planner: watches `frames`, merges the last four, answers with one row of a vocabulary."""

    def __init__(
        self,
        run: Path,
        vocabulary: np.ndarray,
        choose: Callable[[list[dict], list[np.ndarray]], int],
        slow_write: float = 0.0,
    ) -> None:
        super().__init__(daemon=True)
        self.run_dir = run
        self.data_root = run / "WE_output" / "openscene_format"
        self.vocabulary, self.choose, self.slow_write = vocabulary, choose, slow_write
        self.finished: list[str] = []
        self.seen: dict[str, list[dict]] = {}
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.serve()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            self.error = error

    def serve(self) -> None:
        prefix = self.new_scene()
        while prefix is not None:
            for last in range(QUEUE_LENGTH - 1, FRAMES_PER_SCENE):
                if not self.wait_for(prefix, last):
                    break
                self.infer(prefix, last)
            self.finished.append(prefix)
            prefix = self.new_scene()

    def stopped(self) -> bool:
        return (self.data_root.parent / "simulation_completed.flag").exists()

    def new_scene(self) -> str | None:
        while not self.stopped():
            steps: dict[str, set[int]] = {}
            for path in (self.run_dir / "frames").glob("*.pkl"):
                prefix, step = path.stem.split("_")
                steps.setdefault(prefix, set()).add(int(step))
            for prefix, have in steps.items():
                if prefix not in self.finished and have >= set(range(QUEUE_LENGTH)):
                    return prefix
            time.sleep(POLL_S)
        return None

    def wait_for(self, prefix: str, step: int) -> bool:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if (self.run_dir / "frames" / f"{prefix}_{step}.pkl").exists():
                return True
            if self.stopped():
                return False
            time.sleep(POLL_S)
        return False

    def infer(self, prefix: str, last: int) -> None:
        infos = []
        for step in range(last - QUEUE_LENGTH + 1, last + 1):
            with open(self.run_dir / "frames" / f"{prefix}_{step}.pkl", "rb") as file:
                infos.append(pickle.load(file))
        merged = self.run_dir / "merged_ann_files"
        merged.mkdir(exist_ok=True)
        with open(merged / f"merged_{last}.pkl", "wb") as file:
            pickle.dump({"infos": infos}, file)
        images = [
            np.asarray(Image.open(self.data_root / "sensor_blobs" / cam["data_path"]))
            for info in infos
            for cam in info["cams"].values()
        ]
        self.seen.setdefault(prefix, []).append(infos[-1])
        if last == QUEUE_LENGTH - 1:
            self.seen[prefix][:0] = infos[:-1]
        index = self.choose(infos, images)
        self.answer(prefix, last + 1, index)

    def answer(self, prefix: str, step: int, index: int) -> None:
        folder = self.run_dir / "plan_traj"
        if self.slow_write:
            buffer = io.BytesIO()
            np.save(buffer, self.vocabulary[index])
            with open(folder / f"{prefix}_{step}.npy", "wb") as file:
                for part in (buffer.getvalue()[:100], buffer.getvalue()[100:]):
                    file.write(part)
                    file.flush()
                    time.sleep(self.slow_write)
        else:
            np.save(folder / f"{prefix}_{step}_tmp.npy", self.vocabulary[index])
            os.rename(folder / f"{prefix}_{step}_tmp.npy", folder / f"{prefix}_{step}.npy")
        table = folder / "plan_idx.csv"
        fresh = not table.exists()
        with open(table, "a", newline="") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(["prefix", "step", "plan_idx"])
            writer.writerow([prefix, step, index])


class ReferenceSimulator(threading.Thread):
    """The simulator: four frames of history, then a plan for each further frame; perfect tracking at 2 Hz."""

    def __init__(self, run: Path, tokens: list[str], speed: float = 8.0, in_place_pause: float = 0.0) -> None:
        super().__init__(daemon=True)
        self.run_dir = run
        self.tokens, self.speed, self.in_place_pause = tokens, speed, in_place_pause
        self.plans: dict[str, list[np.ndarray]] = {}
        self.poses: dict[str, list[np.ndarray]] = {}
        self.error: BaseException | None = None
        for name in ("frames", "plan_traj", "WE_output/openscene_format/sensor_blobs"):
            (run / name).mkdir(parents=True, exist_ok=True)

    def run(self) -> None:
        try:
            for token in self.tokens:
                self.scene(token)
            (self.run_dir / "WE_output" / "simulation_completed.flag").touch()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            self.error = error

    def scene(self, token: str) -> None:
        pose = np.array([331000.0, 4690000.0, 0.7])
        self.plans[token], self.poses[token] = [], []
        command = 1
        for step in range(FRAMES_PER_SCENE):
            self.poses[token].append(pose.copy())
            self.write(token, step, pose, command)
            if step < QUEUE_LENGTH - 1:
                ahead = np.array([0.5 * self.speed, 0.0, 0.0])
            elif step < FRAMES_PER_SCENE - 1:
                plan = self.wait(token, step + 1)
                self.plans[token].append(plan)
                ahead = plan[4]  # 0.5 s later
            c, s = np.cos(pose[2]), np.sin(pose[2])
            pose = pose + np.array([c * ahead[0] - s * ahead[1], s * ahead[0] + c * ahead[1], ahead[2]])

    def wait(self, token: str, step: int) -> np.ndarray:
        path = self.run_dir / "plan_traj" / f"{token}_{step}.npy"
        end = time.monotonic() + PATIENCE_S
        while not os.path.exists(path):
            assert time.monotonic() < end, f"no plan {path.name}"
            time.sleep(POLL_S)
        return np.load(path)

    def write(self, token: str, step: int, pose: np.ndarray, command: int) -> None:
        frame = make_frame(token, step, pose, self.speed, command)
        for cam in frame["cams"].values():
            path = self.run_dir / "WE_output" / "openscene_format" / "sensor_blobs" / cam["data_path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((36, 64, 3), 20 * step, np.uint8)).save(path)
        content = pickle.dumps(frame, protocol=pickle.HIGHEST_PROTOCOL)
        with open(self.run_dir / "frames" / f"{token}_{step}.pkl", "wb") as file:  # in place, as published
            file.write(content[:500])
            file.flush()
            time.sleep(self.in_place_pause)
            file.write(content[500:])


def make_frame(token: str, step: int, pose: np.ndarray, speed: float, command: int) -> dict:
    """Return the keys that the planner's dataset reads."""
    c, s = np.cos(pose[2]), np.sin(pose[2])
    ego2global = np.array([[c, -s, 0, pose[0]], [s, c, 0, pose[1]], [0, 0, 1, 600.0], [0, 0, 0, 1]])
    lidar2ego = np.eye(4)
    lidar2ego[:3, 3] = [1.5185133218765259, 0.0, 1.6308990716934204]
    can_bus = np.zeros(18)
    can_bus[:3] = ego2global[:3, 3]
    can_bus[3:7] = [np.cos(pose[2] / 2), 0, 0, np.sin(pose[2] / 2)]
    can_bus[7:9], can_bus[10], can_bus[15] = [0.25, -0.5], speed, 0.1
    driving_command = np.zeros(4, dtype=int)
    driving_command[command] = 1
    return {
        "token": f"{step:016x}-000",
        "frame_idx": step,
        "timestamp": 1_620_000_000_000_000 + 500_000 * step,
        "log_name": f"2021.05.12.22.00.38_veh-35_01008_01518-{token}",
        "scene_name": f"2021.05.12.22.00.38_veh-35_01008_01518-{token}",
        "log_token": token,
        "scene_token": token,
        "lidar_path": None,
        "sample_prev": None,
        "sample_next": None,
        "ego2global": ego2global,
        "ego2global_rotation": can_bus[3:7],
        "ego2global_translation": can_bus[:3],
        "lidar2ego": lidar2ego,
        "lidar2global": ego2global @ lidar2ego,
        "can_bus": can_bus,
        "driving_command": driving_command,
        "cams": {
            name: {
                "data_path": f"{token}/{name}/{step:016x}-000.jpg",
                "sensor2lidar_rotation": np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]),
                "sensor2lidar_translation": np.array([1.67, 0.1 * k, 1.52]),
                "cam_intrinsic": np.array([[1545.0, 0, 960], [0, 1545, 560], [0, 0, 1]]),
                "distortion": np.array([-0.356123, 0.172545, -0.00213, 0.000464, -0.05231]),
            }
            for k, name in enumerate(("CAM_F0", "CAM_L0"))
        },
    }
