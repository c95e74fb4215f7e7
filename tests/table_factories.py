"""A tiny planner as exported weights, options of a tiny table, and score tables."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import torch

from alg_factories import make_states
from algengine.engine.weights import FORMAT, VERSION, WEIGHTS_NAME
from algengine.evaluation.score_table import ScoreTable
from post_training_factories import make_base

TINY = (
    *("--scenarios", "2", "--test-scenarios", "2", "--seeds", "1", "--steps", "3", "--batch-size", "4"),
    *("--variants", "1", "--size", "96x54", "--device", "cpu", "--rows", "rare_log,full"),
)
"""Options of a table that takes a minute."""


def write_tiny_weights(folder: Path) -> Path:
    """Write the tiny planner of `make_base` as exported weights and return the path; it crawls, so it fails rarely."""
    base = make_base()
    slow = [make_states(0.25 * k, 0.0, 41)[1:, :3] for k in range(12)]
    base.state_dict["head.vocabulary"] = torch.from_numpy(np.stack(slow).astype(np.float32))
    content = {
        "format": FORMAT,
        "version": VERSION,
        "state_dict": base.state_dict,
        "model": json.dumps(base.model),
        "metadata": json.dumps(base.metadata | {"cameras": list(base.cameras)}),
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS_NAME).write_bytes(buffer.getvalue())
    return folder / WEIGHTS_NAME


def make_score_table(
    values: dict[str, float], column: str = "score", failed: tuple[str, ...] = ()
) -> ScoreTable:
    """Return a table with one column from token -> value."""
    tokens = tuple(values)
    return ScoreTable(
        name="made",
        tokens=tokens,
        columns={column: np.array([values[t] for t in tokens], float)},
        failed=np.array([t in failed for t in tokens], bool),
        labels={},
    )


def make_tables(rates: dict[str, list[float]], count: int = 20) -> dict[str, list[dict[str, ScoreTable]]]:
    """Return row -> a pair of tables per seed: common, then rare scenarios, of which that share succeeds."""
    tokens = [f"{split}_test_{k:04d}" for split in ("common", "rare") for k in range(count)]
    tables: dict[str, list[dict[str, ScoreTable]]] = {}
    for row, shares in rates.items():
        for seed, share in enumerate(shares):
            rng = np.random.default_rng([len(tables), seed])
            success = {t: float(rng.random() < share) for t in tokens}
            closed = make_score_table(success, "success")
            closed.columns["score"] = closed.columns["success"] * 0.9
            both = {"closed": closed, "open": make_score_table({t: float(rng.random()) for t in tokens})}
            tables.setdefault(row, []).append(both)
    return tables
