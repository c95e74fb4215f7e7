"""Draws the labels of one recorded rollout from its record and its scenario: rasters, elements of the map, objects."""

from __future__ import annotations

from pathlib import Path

from algengine.datasets.bev_labels import LabelGrid, MapRaster, draw_labels, labels_path, save_labels
from algengine.datasets.map_label_files import map_labels_path, save_map_labels
from algengine.datasets.map_labels import MapElements
from algengine.datasets.object_labels import draw_objects, objects_path, save_objects
from algengine.errors import RecordingError
from simengine.datatypes.record_io import load_record
from simengine.scenario.splits import ScenarioHandle


def recorded_tokens(run: Path) -> list[str]:
    """Return the tokens that have both observations and a record below the run folder.

    Raises:
        RecordingError: there are none.
    """
    observed = {path.stem for path in (run / "observations").glob("*.npz")}
    tokens = sorted(observed & {path.stem for path in (run / "records").glob("*.npz")})
    if not tokens:
        raise RecordingError(
            f"no drive in {run} has observations and a record, expected the folder of a run with observations/ and "
            "records/: record a split first"
        )
    return tokens


def draw_recording(run: Path, handle: ScenarioHandle, grid: LabelGrid) -> Path:
    """Write the labels of one rollout and return the path of its rasters; map labels and objects lie beside.

    Args:
        run: folder with `observations/` and `records/`.
        handle: the scenario that was driven; only its map is used.
        grid: layout of the labels.
    """
    record = load_record(run / "records" / f"{handle.token}.npz")
    recording = run / "observations" / f"{handle.token}.npz"
    vector_map = handle.load().map
    save_labels(draw_labels(record, MapRaster(vector_map), grid), grid, labels_path(recording))
    elements = MapElements(vector_map, grid)
    frames = [elements.draw(record.ego_states[frame, :3]) for frame in record.decision_frames]
    save_map_labels(frames, grid, map_labels_path(recording))
    save_objects(draw_objects(record), objects_path(recording))
    return labels_path(recording)
