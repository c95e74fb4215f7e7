"""Blame for little progress."""

from __future__ import annotations

from collections.abc import Mapping

from simengine.metrics.blame.blame import Blame
from simengine.metrics.blame.drive import Drive

PROGRESS = "ego_progress"
FULL = 1.0 - 1e-9
"""What is missing to a share of 1 beyond this is rounding."""
LITTLE = 0.5
"""With less than this share of the possible progress, too little of it is a failure and not a matter of degree."""


def little_progress(drive: Drive, values: Mapping[str, float], failed: Mapping[str, float]) -> Blame:
    """Return how far the ego got and how far the reference did.

    Args:
        drive: what was driven.
        values: sub-scores by name.
        failed: those that progress counts with and that lost points.
    """
    raw = drive.batch.raw_progress
    own, reference, share = float(raw[drive.row]), float(raw[0]), float(values[PROGRESS])
    end = drive.time(len(drive.states) - 1)
    numbers = {
        "own": own,
        "reference": reference,
        "reference_is": drive.reference,
        "share": share,
        "counts_with": dict(failed),
    }
    detail = f"{own:.1f} m of progress where the reference made {reference:.1f} m"
    account = f"the reference is {drive.reference}, and the share counts as {share:.4g}"
    if failed:
        account += f" with {' and '.join(f'{name} = {value:g}' for name, value in failed.items())}"
    slight = bool(failed) or share >= LITTLE
    return Blame(PROGRESS, end, detail=detail, account=account, numbers=numbers, slight=slight)
