"""Draws the labels of one recorded rollout from its record and its scenario."""

from __future__ import annotations

from pathlib import Path

from algengine.datasets.bev_labels import LabelGrid, MapRaster, draw_labels, labels_path, save_labels
from simengine.datatypes.record_io import load_record
from simengine.scenario.splits import ScenarioHandle


def recorded_tokens(run: Path) -> list[str]:
    """Return the tokens that have both observations and a record below the run folder."""
    observed = {path.stem for path in (run / "observations").glob("*.npz")}
    return sorted(observed & {path.stem for path in (run / "records").glob("*.npz")})


def draw_recording(run: Path, handle: ScenarioHandle, grid: LabelGrid | None = None) -> Path:
    """Write the labels of one rollout and return their path.

    Args:
        run: folder with `observations/` and `records/`.
        handle: the scenario that was driven; only its map is used.
        grid: layout of the labels, None for the default.
    """
    record = load_record(run / "records" / f"{handle.token}.npz")
    path = labels_path(run / "observations" / f"{handle.token}.npz")
    save_labels(draw_labels(record, MapRaster(handle.load().map), grid or LabelGrid()), path)
    return path
