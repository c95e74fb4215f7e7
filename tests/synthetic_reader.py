"""A loader of `openscene-synthetic` written from the description of the original's alone; nothing of ours is used."""

from __future__ import annotations

import csv
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np

METRICS = (
    "no_at_fault_collisions", "drivable_area_compliance", "ego_progress", "time_to_collision_within_bound", "comfort",
    "score",
)  # fmt: skip


@dataclass
class SyntheticSet:
    """One data set `<name>` below `root`, for a vocabulary of `size` plans."""

    root: Path
    name: str
    size: int = 8192

    def __post_init__(self):
        with (self.root / "meta_datas" / self.name / "combined.pkl").open("rb") as file:
            infos = pickle.load(file)
        self.infos = infos["infos"] if isinstance(infos, dict) else infos
        self.plans = {}
        table = self.root / "pdms_pkl" / self.name / "plan_idx.csv"
        if table.exists():
            with table.open(newline="") as file:
                rows = list(csv.reader(file))
            assert rows[0] == ["prefix", "step", "plan_idx"]
            self.plans = {(prefix, int(step) - 1): int(index) for prefix, step, index in rows[1:]}

    def metrics(self, info):
        """Rewards of a frame from its own file, one file less its first element if it has one more."""
        path = self.root / "pdms_pkl" / self.name / f"{info['log_name']}_step_{info['frame_idx']}_scores.pkl"
        with path.open("rb") as file:
            record = pickle.load(file)
        return {name: np.asarray(record[name], np.float32)[-self.size :] for name in METRICS}

    def image(self, info, camera):
        return self.root / "sensor_blobs" / self.name / info["cams"][camera]["data_path"]

    def select(self, failures, customized_filter):
        """Positions in `infos` of the samples that are trained on."""
        kept = []
        for position, info in enumerate(self.infos):
            if info["frame_idx"] < 3 or info["log_name"].split("-")[2] not in failures:
                continue
            if info.get("invalid") or info.get("pdm") is None:
                continue
            if customized_filter == "v2" and info["frame_idx"] != 3:
                continue
            if customized_filter == "v1" and not self._worth_learning(info):
                continue
            kept.append(position)
        return kept

    def _worth_learning(self, info):
        pdm, plan = info["pdm"], self.plans[info["scene_token"], info["frame_idx"]]
        slow = (
            pdm["drivable_area_compliance"][plan] == 1
            and pdm["no_at_fault_collisions"][plan] == 1
            and pdm["ego_progress"][plan] < 0.2
        )
        return bool(pdm["score"].max() >= 0.9 and (pdm["score"][plan] <= 2 / 3 or slow))
