"""The original's reward files: `pdms_pkl/<scenario id>_step_<k>_scores.pkl` and the index over them.

Steps count frames at 2 Hz: three of history, so the first decision is step 3.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from simengine.errors import ScenarioFormatError
from simengine.files.atomic import write_atomically
from simengine.files.plain_pickle import write_pickle
from simengine.metrics.pdm.parameters import WORLDENGINE_V1
from simengine.rewards.columns import COLUMNS
from simengine.rewards.imitation import Imitation
from simengine.rewards.scores import VocabularyScores
from simengine.scenario.restricted_pickle import load_pickle
from simengine.scenario.scenario import Scenario

FIRST_STEP = 3
NOT_STORED = "not in this file"
_FLAGS = ("no_at_fault_collisions", "drivable_area_compliance")
_REQUIRED = tuple(name for name in COLUMNS if name not in ("driving_direction_compliance", "lane_keeping"))


def scenario_id(scenario: Scenario) -> str:
    """Return the id of a scenario in the original's files, see `original_id`."""
    return original_id(scenario.log_name, scenario.token, scenario.tags)


def original_id(log_name: str, token: str, tags: Mapping[str, object]) -> str:
    """Return an id of the original: `<log>-<token>`, or the one the scenario was read under.

    Readers find the token behind the second dash, as in nuPlan's logs; a log without a dash is given one.
    """
    log = log_name if "-" in log_name else f"{log_name}-0"
    return str(tags.get("legacy_id") or f"{log}-{token}")


def pdms_pkl_name(name: str, step: int) -> str:
    """Return the file name of one decision (0 for the first) of a scenario id."""
    return f"{name}_step_{FIRST_STEP + step}_scores.pkl"


def pdms_record(scores: VocabularyScores, imitation: Imitation) -> dict[str, object]:
    """Return one decision in the original's schema.

    In mode `worldengine_v1` collisions are truths, as published: a hit of an object (0.5) is true. Otherwise they are
    float64 and keep their 0.5; what reads these files casts to float32.
    """
    record: dict[str, object] = {name: np.asarray(scores.columns[name], np.float64) for name in COLUMNS}
    flags = _FLAGS if scores.mode == WORLDENGINE_V1.mode else _FLAGS[1:]
    record |= {name: scores.columns[name].astype(bool) for name in flags}
    return record | {
        "IL_plan_idx": np.int64(imitation.index),
        "target_traj": np.asarray(imitation.target, np.float64),
    }


def write_pdms_pkl(folder: Path, name: str, scores: VocabularyScores, imitation: Imitation) -> Path | None:
    """Write one decision below `folder` and return its path.

    Nothing is written, and None returned, where the score is unknown: the original's tools take a missing file for an
    invalid frame, and have no word for unknown.
    """
    if "score" in scores.unknown:
        return None
    path = Path(folder) / pdms_pkl_name(name, scores.step)
    write_pickle(path, pdms_record(scores, imitation))
    return path


def read_pdms_pkl(path: Path, size: int | None = None, mode: str = "") -> tuple[VocabularyScores, Imitation]:
    """Return one decision of the original's, read through the restricted unpickler.

    Args:
        path: `..._step_<k>_scores.pkl`; token and step are those of its name.
        size: entries of the vocabulary; arrays that hold one more start with the reference, which is dropped.
        mode: label for the scores, which the file does not have.

    Raises:
        ScenarioFormatError: the file is missing, no data, or not of that schema.
    """
    path = Path(path)
    record = load_pickle(path)
    if not isinstance(record, dict) or not set(_REQUIRED) <= set(record):
        missing = sorted(set(_REQUIRED) - set(record)) if isinstance(record, dict) else _REQUIRED
        raise ScenarioFormatError(
            f"{path}: no reward file (without {', '.join(map(str, missing))}), expected a dictionary of arrays, one "
            "for each sub-score: check how it was made"
        )
    columns = {
        name: legacy_column(f"{path}: {name}", record[name], size) for name in COLUMNS if name in record
    }
    size = len(columns["score"])
    odd = [name for name, values in columns.items() if len(values) != size]
    if odd:
        raise ScenarioFormatError(
            f"{path}: {odd[0]} and score have different lengths, expected one entry each"
        )
    unknown = {name: NOT_STORED for name in COLUMNS if name not in columns}
    columns |= {name: np.full(size, np.nan) for name in unknown}
    token, step = _token_and_step(path)
    try:
        target = np.asarray(record.get("target_traj", np.zeros((0, 2))), np.float64).reshape(-1, 2)
        imitation = Imitation(int(record.get("IL_plan_idx", -1)), target)
    except (TypeError, ValueError) as error:
        raise ScenarioFormatError(
            f"{path}: IL_plan_idx or target_traj is malformed ({error}), expected a number and positions (T, 2)"
        ) from None
    return VocabularyScores(token, step, mode, **columns, unknown=unknown), imitation


def legacy_column(name: str, values: object, size: int | None) -> np.ndarray:
    """Return a column (K,) float64 of the original's, less the reference where it is in front.

    Raises:
        ScenarioFormatError: it is no array of numbers of that size.
    """
    if not (
        isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "biuf" and len(values)
    ):
        raise ScenarioFormatError(f"{name} is no array of numbers (K,), expected one value for each entry")
    if size is not None and len(values) == size + 1:
        values = values[1:]
    if size is not None and len(values) != size:
        raise ScenarioFormatError(
            f"{name} has {len(values)} values, expected {size}, one for each entry: use the vocabulary it was made with"
        )
    return values.astype(np.float64)


def write_pdms_index(path: Path, rows: Iterable[tuple[str, int, str]]) -> None:
    """Write `all_scenes_pdm_pkl_paths_<NR|R>.csv`: token, step and pkl_path, sorted by token and step."""
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow(("token", "step", "pkl_path"))
    table.writerows(sorted(rows))
    write_atomically(path, buffer.getvalue().encode())


def index_folder(folder: Path, relative_to: Path) -> list[tuple[str, int, str]]:
    """Return token, step and path of every reward file in `folder`, paths relative to another folder."""
    files = sorted(Path(folder).glob("*_scores.pkl"))
    return [(*_index_key(file), file.relative_to(relative_to).as_posix()) for file in files]


def _index_key(path: Path) -> tuple[str, int]:
    token, step = _token_and_step(path)
    return token, step + FIRST_STEP


def _token_and_step(path: Path) -> tuple[str, int]:
    name, _, rest = path.name.rpartition("_step_")
    number = rest.removesuffix("_scores.pkl")
    if not name or not number.isdigit():
        raise ScenarioFormatError(f"{path}: the name has no step, expected <scenario id>_step_<k>_scores.pkl")
    return name, int(number) - FIRST_STEP
