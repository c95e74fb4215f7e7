"""Samples of a planner from OpenScene frames: of a NAVSIM split, and of simulated drives beside it.

Q frames of a clip, N cameras, H history steps, T future poses, K plans.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from mmengine.logging import print_log
from torch.utils.data import Dataset

from algengine.datasets.map_label_files import add_map_truth
from algengine.datasets.object_labels import ObjectRange
from algengine.datasets.openscene.cameras import clip_cameras, order_in
from algengine.datasets.openscene.can_bus import can_bus_clip
from algengine.datasets.openscene.ego import dense_future, known_future, motions, status
from algengine.datasets.openscene.frame import Frame
from algengine.datasets.openscene.images import ImageStore
from algengine.datasets.openscene.items import Selection, select_items
from algengine.datasets.openscene.maps import OpenSceneMaps
from algengine.datasets.openscene.object_clips import clip_objects
from algengine.datasets.openscene.places import located
from algengine.datasets.openscene.published import published_tensors
from algengine.datasets.openscene.scores import stacked
from algengine.datasets.openscene.selection import Item
from algengine.errors import RecordingError
from algengine.heads.sub_score_heads import SUB_SCORES
from algengine.registry import DATASETS
from algengine.structures.planning_sample import PlanningDataSample
from simengine.errors import ConfigError


@DATASETS.register_module()
class OpenSceneDataset(Dataset):
    """One sample per token of a split: its frame and those before it.

    Besides what `RecordingDataset` gives, inputs hold `can_bus` (Q, 18) and `heading` (Q,) for planners with `compat`,
    samples hold `gt_sub_scores` (Q, 5, K) where there are scores (NaN for frames without), and their metainfo
    `token`, `log_name` and `fail_mask`.

    Args:
        ann_file: info file, or a folder of them.
        img_root: what image paths are relative to.
        nav_filter_path: split whose tokens are used; all frames if None.
        pdm_path: score cache, ours or the original's. If it is not there a planner that needs no scores can train
            without; a warning says so.
        test_mode: keep frames without a full queue, which then starts with repetitions of the oldest one.
        queue_length: frames per clip Q.
        past_steps: history steps before the present, H - 1.
        planning_steps: poses of the future every 0.5 s.
        image_size: width and height of the images [px].
        cameras: channels in the order of the network; those of the file if empty.
        num_poses: poses of the future T.
        pose_dt: time between them [s].
        fix_can_bus_rotation: see `can_bus_clip`.
        fix_yaw_jump: see `can_bus_clip`.
        published: add the published planner's other tensors to the inputs, see `published_tensors`.
        finetune: `yaml` (one or several splits), `normal_ratio`, `normal_only`: failures and normal frames.
        simulated: `data_root`, `folder_name`, `finetune_yaml`, `customized_filter`, `decision_frames`, `cotrain`,
            `include_real_failures`: adds simulated drives.
        maps: arguments of `OpenSceneMaps`, None to do without. Samples then have `gt_map_*`, see `MapTruth`.
        objects: arguments of `ObjectRange`, None to do without. Samples then have `gt_objects`, see `ClipObjects`.
        cached_images: images that each worker keeps decoded.

    Raises:
        RecordingError: a file, token or camera is missing.
        ScenarioFormatError: a file cannot be read.
        ConfigError: arguments do not fit together.
    """

    def __init__(
        self,
        ann_file: str,
        img_root: str,
        nav_filter_path: str | None = None,
        pdm_path: str | None = None,
        test_mode: bool = False,
        queue_length: int = 4,
        past_steps: int = 3,
        planning_steps: int = 8,
        image_size: Sequence[int] = (960, 540),
        cameras: Sequence[str] = (),
        num_poses: int = 40,
        pose_dt: float = 0.1,
        fix_can_bus_rotation: bool = True,
        fix_yaw_jump: bool = True,
        published: bool = False,
        finetune: Mapping | None = None,
        simulated: Mapping | None = None,
        maps: Mapping | None = None,
        objects: Mapping | None = None,
        cached_images: int = 64,
    ) -> None:
        self.queue_length, self.history_steps = queue_length, past_steps + 1
        self.planning_steps, self.num_poses, self.pose_dt = planning_steps, num_poses, pose_dt
        self.image_size, self.cameras = (image_size[0], image_size[1]), tuple(cameras)
        self._can_bus_fixes = (fix_can_bus_rotation, fix_yaw_jump)
        self._published = published
        self._maps = OpenSceneMaps(**maps) if maps is not None else None
        self._area = ObjectRange(**objects) if objects is not None else None
        finetune, simulated = dict(finetune or {}), dict(simulated or {})
        if objects is not None and simulated:
            raise ConfigError(
                "a data set has objects and simulated, expected one: rollouts give objects no identity"
            )
        chosen = select_items(
            Selection(str(ann_file), nav_filter_path, pdm_path, finetune, simulated, self._area is not None)
        )
        for note in chosen.notes:
            print_log(note, "current", logging.WARNING)
        self.sequences, self._scores = chosen.sequences, chosen.scores
        self.items = chosen.items if test_mode else self._trainable(chosen.items)
        if not self.items:
            raise RecordingError(
                f"no frame of {ann_file} can be used, expected tokens with {queue_length} consecutive frames: see "
                "`algengine data check`"
            )
        roots = {"": located(img_root)} | chosen.image_roots
        self._stores = {
            name: ImageStore(root, self.image_size, cached_images) for name, root in roots.items()
        }

    @property
    def metainfo(self) -> dict:
        """Facts the evaluator may ask for."""
        return {"cameras": self.cameras, "pose_dt": self.pose_dt}

    @property
    def tokens(self) -> list[str]:
        """Token of each sample."""
        return [item.frame.token for item in self.items]

    @property
    def fail_mask(self) -> np.ndarray:
        """Kind of each sample (M,): 0 normal, 1 real failure, -1 simulated."""
        return np.array([item.fail_mask for item in self.items], np.int64)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict:
        """Return `inputs` (tensors) and `data_samples` of one clip.

        Raises:
            RecordingError: an image is missing or broken.
        """
        item = self.items[index]
        known = self.sequences.until(item.frame, self.queue_length)
        queue = [known[0]] * (self.queue_length - len(known)) + known
        arrays = clip_cameras(queue, self.cameras, self.store)
        arrays["motion"] = motions(queue)
        steps = [
            status(self.sequences.until(frame, self.history_steps), self.history_steps) for frame in queue
        ]
        arrays |= {name: np.stack([step[name] for step in steps]) for name in steps[0]}
        arrays["can_bus"] = can_bus_clip(queue, *self._can_bus_fixes)
        arrays["heading"] = np.array([frame.pose[2] for frame in queue], np.float32)
        if self._published:
            arrays |= self._published_tensors(queue)
        return {
            "inputs": {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in arrays.items()},
            "data_samples": self._sample(item, queue),
        }

    def store(self, frame: Frame) -> ImageStore:
        """Return where the images of a frame are read."""
        return self._stores.get(frame.dataset, self._stores[""])

    def _trainable(self, items: Sequence[Item]) -> list[Item]:
        """Return the items with a full queue and, where scores are used, with scores."""
        count = self.queue_length
        full = [item for item in items if len(self.sequences.until(item.frame, count)) == count]
        scored = [item for item in full if self._scores is None or self._scores.has(item.frame)]
        for what, lost, kept in (("frames before them", items, full), ("scores", full, scored)):
            if len(lost) > len(kept):
                there = {id(item) for item in kept}
                example = next(item.frame.token for item in lost if id(item) not in there)
                print_log(
                    f"{len(lost) - len(kept)} of {len(lost)} tokens have no {what} and are left out, such as {example}",
                    "current",
                    logging.WARNING,
                )
        return scored

    def _sample(self, item: Item, queue: Sequence[Frame]) -> PlanningDataSample:
        futures = [self._future(frame, item.imitate) for frame in queue]
        frame = item.frame
        sample = PlanningDataSample(
            metainfo={
                "token": frame.token,
                "first_frame": queue[0].index,
                "log_name": frame.log_name,
                "fail_mask": item.fail_mask,
            }
        )
        sample.gt_trajectory = torch.from_numpy(np.stack([poses for poses, _ in futures]))
        sample.gt_valid = torch.from_numpy(np.stack([valid for _, valid in futures]))
        if self._scores is not None and self._scores.has(frame):
            sample.gt_sub_scores = torch.from_numpy(self._sub_scores(queue))
        if self._maps is not None:
            add_map_truth(sample, self._maps.draw(frame))
        if self._area is not None:
            sample.gt_objects = clip_objects(queue, self.sequences, self._area)
        return sample

    def _future(self, frame: Frame, imitate: bool) -> tuple[np.ndarray, np.ndarray]:
        following = self.sequences.after(frame, self.planning_steps)
        known = known_future(frame, following, self.planning_steps)
        poses, valid = dense_future(*known, self.num_poses, self.pose_dt)
        return poses, valid & imitate

    def _sub_scores(self, queue: Sequence[Frame]) -> np.ndarray:
        last = stacked(self._scores[queue[-1]], SUB_SCORES)
        earlier = [
            stacked(self._scores[frame], SUB_SCORES)
            if self._scores.has(frame)
            else np.full_like(last, np.nan)
            for frame in queue[:-1]
        ]
        return np.stack([*earlier, last])

    def _published_tensors(self, queue: Sequence[Frame]) -> dict[str, np.ndarray]:
        order, store = order_in(queue[-1], self.cameras), self.store(queue[-1])
        sizes = [store.read(queue[-1].images[i], queue[-1].token).stored_size for i in order]
        scale = np.array([np.divide(self.image_size, size) for size in sizes])
        following = self.sequences.after(queue[-1], self.planning_steps)
        return published_tensors(queue, following, order, scale, self.history_steps - 1, self.planning_steps)
