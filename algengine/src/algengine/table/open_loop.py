"""Open-loop scores of planners on recorded drives: what their plan at every decision would have earned.

D decisions of one drive, K plans.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from algengine.engine.train import choose_device
from algengine.engine.weights import WEIGHTS_NAME
from algengine.planners.vadv2 import VADv2
from algengine.post_training.base import BasePlanner, load_base
from algengine.post_training.feature_cache import FeatureCache
from algengine.post_training.runs import Decision, read_run
from simengine.files.atomic import write_atomically
from simengine.metrics.episode import SUB_SCORES

CACHE = Path("features")
DTYPE = "float16"
"""Where and how the shipped recipes keep features; `cache.root` is set to the same."""
_COLUMNS = (*SUB_SCORES, "score")


def feature_cache(planner: BasePlanner, device: torch.device) -> FeatureCache:
    """Return the features of a planner that all stages share."""
    return FeatureCache(CACHE, planner.build(), planner.model, planner.cameras, DTYPE, device)


def score_open_loop(out: Path, base: Path, run: Path, planners: Mapping[str, Path], device: str) -> None:
    """Write `<name>.csv` into `out` for each planner: a row per drive, means over its decisions of known score.

    Args:
        out: folder.
        base: folder of the base planner's weights.
        run: recorded logs with rewards of its vocabulary.
        planners: name -> folder with weights.
        device: auto, cpu or cuda.
    """
    chosen_device = choose_device(device)
    start = load_base(base / WEIGHTS_NAME)
    shared = feature_cache(start, chosen_device)
    drives: dict[str, list[Decision]] = {}
    for decision, _ in read_run(run, start.vocabulary.key):
        drives.setdefault(decision.token, []).append(decision)
    for name, folder in planners.items():
        planner = load_base(folder / WEIGHTS_NAME)
        cache = shared if _same_eyes(start, planner) else feature_cache(planner, chosen_device)
        network = planner.build().to(chosen_device)
        rows = {t: _score_drive(network, cache, decisions, chosen_device) for t, decisions in drives.items()}
        write_atomically(out / f"{name}.csv", _table(rows).encode())


def _same_eyes(a: BasePlanner, b: BasePlanner) -> bool:
    """Whether two planners differ in their heads only, so that they see the same."""
    outside = [name for name in a.state_dict if not name.startswith("head.")]
    return a.model | {"head": None} == b.model | {"head": None} and all(
        torch.equal(a.state_dict[name], b.state_dict[name]) for name in outside
    )


@torch.no_grad()
def _score_drive(
    network: VADv2, cache: FeatureCache, decisions: list[Decision], device: torch.device
) -> dict[str, float]:
    cache.fill([decisions[0].observations])
    features, steps = cache.open(decisions[0].observations), [d.step for d in decisions]
    bev = torch.from_numpy(features.bev[steps]).float().to(device)
    status = {name: torch.from_numpy(value[steps]).to(device) for name, value in features.status.items()}
    chosen = network.head.predict(network.head(bev, status))[1].tolist()
    columns = [decision.columns() for decision in decisions]
    known = [c for c, one in enumerate(columns) if not np.isnan(one["score"]).any()]
    return {
        name: float(np.mean([columns[c][name][chosen[c]] for c in known])) if known else float("nan")
        for name in _COLUMNS
    }


def _table(rows: Mapping[str, Mapping[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["token", *_COLUMNS])
    for token, row in sorted(rows.items()):
        writer.writerow([token, *("" if np.isnan(v) else f"{v:.6f}" for v in (row[c] for c in _COLUMNS))])
    return text.getvalue()
