"""Clips of consecutive frames from observation logs.

Q frames per clip, N cameras, H history steps, T future poses, S sub-scores, K plans.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from algengine.datasets.bev_labels import LabelGrid, load_labels, shift_labels, unpack_labels
from algengine.datasets.frames import (
    camera_inputs,
    camera_order,
    decode_jpeg,
    ego_status,
    future_in_ego,
    motion_between,
)
from algengine.datasets.futures import find_recordings
from algengine.datasets.map_label_files import add_map_truth, load_map_labels
from algengine.datasets.object_labels import ObjectRange, load_objects
from algengine.datasets.openscene.places import located
from algengine.datasets.perturb import Perturbation, displaced_future, displaced_motion
from algengine.datasets.recorded_maps import RecordedMaps
from algengine.datasets.recorded_scores import RecordedScores
from algengine.errors import RecordingError
from algengine.registry import DATASETS
from algengine.structures.planning_sample import PlanningDataSample
from simengine.datatypes.observation_log import ObservationLog, read_jpegs


@dataclass(frozen=True)
class _Clip:
    log: int
    first: int


def in_validation(name: str, share: float) -> bool:
    """Return whether the log `name` is held out; decided by its name alone, so that it never changes sides."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32


@DATASETS.register_module()
class RecordingDataset(Dataset):
    """Clips from recordings, images read and decoded on demand.

    Args:
        root: folder with observation logs.
        part: `train`, `val` or `all`; logs are split by name.
        clip_length: frames per clip Q.
        clip_stride: frames between the starts of clips of one log.
        image_size: width and height of the images [px].
        cameras: channels to use, in this order; empty for those of the first log.
        num_poses: future poses T.
        pose_dt: time between them [s].
        val_share: share of logs held out.
        min_future: recorded future poses that each frame of a clip needs.
        label_grid: arguments of `LabelGrid` of the label rasters beside the logs, None to do without.
        perturbation: arguments of `Perturbation`, for training.
        sub_scores: arguments of `RecordedScores`, None to do without. Samples then have `gt_sub_scores` (Q, S, K). What
            was scored is the recorded car, so the sub-scores of a displaced clip are unknown (NaN).
        map_grid: arguments of `LabelGrid` of the map labels beside the logs, None to do without. Samples then have
            `gt_map_*`, see `MapTruth`.
        objects: arguments of `ObjectRange`, None to do without. Samples then have `gt_objects`, see `ClipObjects`.
        encoded: folder of `RecordedMaps` of the logs. Clips then have `maps` (Q, C, rows, cols) instead of images and
            calibrations, and displaced ones are those of which there are maps.
        seed: of the perturbation.
        limit: most logs to read, 0 for all.
    """

    def __init__(
        self,
        root: str,
        part: str = "train",
        clip_length: int = 4,
        clip_stride: int = 2,
        image_size: Sequence[int] = (320, 180),
        cameras: Sequence[str] = (),
        num_poses: int = 40,
        pose_dt: float = 0.1,
        val_share: float = 0.1,
        min_future: int = 40,
        label_grid: dict | None = None,
        perturbation: dict | None = None,
        sub_scores: dict | None = None,
        map_grid: dict | None = None,
        objects: dict | None = None,
        encoded: str = "",
        seed: int = 0,
        limit: int = 0,
    ) -> None:
        self.clip_length, self.num_poses, self.pose_dt = clip_length, num_poses, pose_dt
        self.image_size = (image_size[0], image_size[1])
        self.perturbation = Perturbation(**(perturbation or {}))
        self.seed = seed
        self.label_grid = LabelGrid(**label_grid) if label_grid is not None else None
        self.paths = [
            p
            for p in find_recordings(located(root))
            if part == "all" or in_validation(p.stem, val_share) == (part == "val")
        ]
        self.paths = self.paths[:limit] if limit else self.paths
        self.logs = [ObservationLog.load(path, images=False) for path in self.paths]
        if not self.logs:
            raise RecordingError(f"no log of {root} falls into the part {part!r}: record more scenarios")
        self.cameras = tuple(cameras) or tuple(c.name for c in self.logs[0].cameras)
        self._order = [
            camera_order([camera.name for camera in log.cameras], self.cameras, path)
            for log, path in zip(self.logs, self.paths, strict=True)
        ]
        self.clips = self._cut(clip_stride, min_future)
        self._label_cache: dict[int, np.ndarray] = {}
        if self.label_grid is not None:
            self._label_cache = {i: load_labels(path, self.label_grid) for i, path in enumerate(self.paths)}
        self.map_grid = LabelGrid(**map_grid) if map_grid is not None else None
        self._maps = [load_map_labels(path, self.map_grid) for path in self.paths] if self.map_grid else []
        self.object_range = ObjectRange(**objects) if objects is not None else None
        self._objects = [load_objects(path) for path in self.paths] if objects is not None else []
        self._recorded_maps = RecordedMaps(encoded) if encoded else None
        self._shifts = [self._recorded_maps.shifts(path) for path in self.paths] if encoded else []
        self._scores: list[np.ndarray] = []
        if sub_scores is not None:
            scores = RecordedScores(**sub_scores)
            self._scores = [scores.load(log) for log in self.logs]

    @property
    def metainfo(self) -> dict:
        """Facts the evaluator may ask for."""
        return {"cameras": self.cameras, "pose_dt": self.pose_dt}

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> dict:
        """Return `inputs` (tensors) and `data_samples` of one clip."""
        clip = self.clips[index]
        log = self.logs[clip.log]
        frames = range(clip.first, clip.first + self.clip_length)
        shift, variant = self._draw_shift(log, clip)
        arrays = self._status(log, frames, shift)
        if self._recorded_maps is not None:
            arrays["maps"] = self._recorded_maps.clip(self.paths[clip.log], variant, frames)
        else:
            arrays["images"] = self._images(clip, frames)
            arrays |= camera_inputs([log.cameras[i] for i in self._order[clip.log]], self.image_size, shift)
        if self.label_grid is not None:
            packed = self._label_cache[clip.log][clip.first : clip.first + self.clip_length]
            arrays["bev_labels"] = unpack_labels(packed, self.label_grid)
            if shift is not None:
                arrays["bev_labels"] = shift_labels(arrays["bev_labels"], shift, self.label_grid)
        return {
            "inputs": {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in arrays.items()},
            "data_samples": self._sample(clip, frames, shift),
        }

    def _sample(self, clip: _Clip, frames: range, shift: np.ndarray | None) -> PlanningDataSample:
        log = self.logs[clip.log]
        future, valid = self._futures(log, frames, shift)
        sample = PlanningDataSample(metainfo={"token": log.token, "first_frame": clip.first})
        sample.gt_trajectory, sample.gt_valid = torch.from_numpy(future), torch.from_numpy(valid)
        if self.map_grid is not None:
            drawn = self._maps[clip.log].frame(frames[-1])
            add_map_truth(sample, drawn if shift is None else drawn.seen_from(shift, self.map_grid))
        if self.object_range is not None:
            sample.gt_objects = self._objects[clip.log].clip(frames, self.object_range, shift)
        if self._scores:
            known = self._scores[clip.log][frames.start : frames.stop]
            sample.gt_sub_scores = torch.from_numpy(
                np.full_like(known, np.nan) if shift is not None else known
            )
        return sample

    def _cut(self, stride: int, min_future: int) -> list[_Clip]:
        clips = []
        for i, log in enumerate(self.logs):
            frames_per_pose = round(self.pose_dt / log.state_dt)
            left = (len(log.ego_states) - 1 - log.decision_frames) // frames_per_pose
            # Only clips all of whose frames have their future.
            last_start = int(np.sum(left >= min_future)) - self.clip_length
            clips += [_Clip(i, start) for start in range(last_start, -1, -stride)]
        if not clips:
            raise RecordingError(
                f"no log has {self.clip_length} decisions and {min_future * self.pose_dt:.1f} s of future: "
                "record longer"
            )
        return clips

    def _draw_shift(self, log: ObservationLog, clip: _Clip) -> tuple[np.ndarray | None, int]:
        """Return a displaced ego frame, or None, and which of the recorded ones it is; 0 is the real one."""
        if self.perturbation.probability <= 0:
            return None, 0
        # Torch's generator differs between workers and epochs and is seeded by the runner.
        rng = np.random.default_rng(int(torch.randint(2**31, ()).item()) + self.seed)
        shift = self.perturbation.draw(rng, float(log.velocity_history[clip.first, -1, 0]))
        if shift is None or self._recorded_maps is None:
            return shift, 0
        shifts = self._shifts[clip.log]
        variant = int(rng.integers(1, len(shifts))) if len(shifts) > 1 else 0
        return (shifts[variant], variant) if variant else (None, 0)

    def _images(self, clip: _Clip, frames: range) -> np.ndarray:
        order = self._order[clip.log]
        rigs = read_jpegs(self.paths[clip.log], frames)
        return np.stack([np.stack([decode_jpeg(rig[i], self.image_size) for i in order]) for rig in rigs])

    def _status(self, log: ObservationLog, frames: range, shift: np.ndarray | None) -> dict[str, np.ndarray]:
        status = {name: values[frames.start : frames.stop] for name, values in ego_status(log).items()}
        previous = [max(f - 1, frames.start) for f in frames]
        motion = [
            motion_between(log.ego_pose[p], log.ego_pose[f]) for p, f in zip(previous, frames, strict=True)
        ]
        motion = np.stack(motion).astype(np.float64)
        if shift is not None:
            # The pretended car was displaced all along: the same rigid shift before and after the motion.
            history = np.asarray(log.ego_history[frames.start : frames.stop], np.float64)
            history = np.stack([displaced_motion(past, shift) for past in history])
            status["history"] = history.astype(np.float32)
            motion = displaced_motion(motion, shift)
        return status | {"motion": motion.astype(np.float32)}

    def _futures(
        self, log: ObservationLog, frames: range, shift: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        stride = round(self.pose_dt / log.state_dt)
        futures, valid = [], []
        for f in frames:
            row = int(log.decision_frames[f])
            future, exists = future_in_ego(log.ego_states, row, log.ego_pose[f], self.num_poses, stride)
            if shift is not None:
                future = displaced_future(future, shift, self.pose_dt, self.perturbation.return_time)
            futures.append(future.astype(np.float32))
            valid.append(exists)
        return np.stack(futures), np.stack(valid)
