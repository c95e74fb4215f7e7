"""Which scores of a run rest on images that can be trusted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from simengine.datatypes.trust import RenderTrust
from simengine.files.atomic import write_atomically
from simengine.metrics.row import ScoreRow, is_known

THRESHOLD = 0.5


def trusted_tokens(trusts: Mapping[str, RenderTrust], threshold: float = THRESHOLD) -> dict[str, bool]:
    """Return token -> whether all its decisions were made from images of at least `threshold`."""
    return {token: bool(trust.mask(threshold).all()) for token, trust in trusts.items()}


def trust_summary(
    trusts: Mapping[str, RenderTrust], rows: Iterable[ScoreRow] = (), threshold: float = THRESHOLD
) -> dict:
    """Return what the trust in a run amounts to, as JSON values.

    Args:
        trusts: token -> trust, for the scenarios that have one.
        rows: score table; without it there are no mean scores.
        threshold: least trust that counts.

    Returns:
        The threshold, per scenario its mean and lowest trust and how many decisions lie below, and the mean score of
        all rows and of those that are trusted; None where there are none.
    """
    mask = trusted_tokens(trusts, threshold)
    scenarios = {
        token: {
            "mean": round(float(trust.score.mean()), 4),
            "lowest": round(float(trust.lowest.min(initial=1.0)), 4),
            "decisions": len(trust.score),
            "below": int((~trust.mask(threshold)).sum()),
        }
        for token, trust in sorted(trusts.items())
    }
    known = [row for row in rows if is_known(row.score) and row.token in mask]
    return {
        "threshold": threshold,
        "scenarios": scenarios,
        "trusted": sum(mask.values()),
        "score": _mean(known),
        "score_of_trusted": _mean([row for row in known if mask[row.token]]),
    }


def write_trust_json(path: Path, summary: dict) -> None:
    """Write a summary as `trust.json`."""
    write_atomically(path, (json.dumps(summary, indent=1, sort_keys=True) + "\n").encode())


def _mean(rows: list[ScoreRow]) -> float | None:
    return round(float(np.mean([row.score for row in rows])), 6) if rows else None
