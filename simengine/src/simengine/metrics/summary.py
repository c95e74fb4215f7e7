"""Means over a score table with bootstrap confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simengine.metrics.row import SCORE_COLUMNS, Row, is_known

RESAMPLES = 2000
CHUNK = 100


def bootstrap_interval(values: np.ndarray, seed: int = 0, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean of values (N,), N >= 1.

    The generator starts anew from `seed`, so that equal values give equal intervals.
    """
    rng = np.random.default_rng(seed)
    count = len(values)
    means = [values[rng.integers(0, count, (CHUNK, count))].mean(axis=1) for _ in range(RESAMPLES // CHUNK)]
    low, high = np.quantile(np.concatenate(means), [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def summarize(rows: Sequence[Row], columns: Sequence[str] = SCORE_COLUMNS) -> dict:
    """Return counts, labels and per score column mean, interval and number of known values; None where unknown.

    Failed rows have no scores: they count as failed, never as zeros. `unscored` rows are ok rows whose
    total score is not known.
    """
    ok = [row for row in rows if row.status == "ok"]
    found = {}
    for name in columns:
        values = np.array([v for row in ok if is_known(v := getattr(row, name))])
        low, high = bootstrap_interval(values) if len(values) else (None, None)
        mean = float(values.mean()) if len(values) else None
        found[name] = {"mean": mean, "low": low, "high": high, "n": len(values)}
    labels = {name: sorted({getattr(row, name) for row in ok}) for name in ("mode", "protocol", "traffic")}
    return {
        "counts": {
            "total": len(rows),
            "ok": len(ok),
            "failed": len(rows) - len(ok),
            "unscored": sum(not is_known(row.score) for row in ok),
        },
        "columns": found,
        "interval": {"level": 0.95, "method": "percentile bootstrap", "resamples": RESAMPLES, "seed": 0},
        **labels,
    }
