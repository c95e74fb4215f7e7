"""Detection as nuScenes measures it (Caesar et al. 2020): average precision by distance of centres, errors, NDS.

Classes and ranges are the published ones for nuPlan, which has no attributes: the score has four errors, not five.
A class without a labelled box has no average precision (NaN) and is left out of means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from algengine.evaluation.boxes import BoxTable
from algengine.structures.objects import OBJECT_CLASSES
from simengine.geometry.angles import wrap

DISTANCES = (0.5, 1.0, 2.0, 4.0)
"""A finding counts if its centre is this near to that of an object [m]; precision is averaged over them."""

ERROR_DISTANCE = 2.0
"""The distance at which errors are taken [m]."""

ERRORS = ("trans_err", "scale_err", "orient_err", "vel_err")
"""Distance of centres [m], 1 - overlap of sizes, difference of headings [rad], of velocities [m/s]."""

MAP_WEIGHT = 5.0
_LEAST_RECALL, _LEAST_PRECISION = 0.1, 0.1
_RECALLS = np.linspace(0.0, 1.0, 101)
_FIRST = round(100 * _LEAST_RECALL) + 1
_HALF_TURN = ("barrier",)
_WITHOUT = {"orient_err": ("traffic_cone",), "vel_err": ("traffic_cone", "barrier", "czone_sign")}


@dataclass(frozen=True)
class ClassResult:
    """How well one class is detected.

    Attributes:
        count: labelled boxes.
        precision: average precision by distance; NaN if there is nothing to find.
        errors: by name; NaN where a class has none.
    """

    count: int
    precision: Mapping[float, float]
    errors: Mapping[str, float]

    @property
    def mean_precision(self) -> float:
        """Average precision over all distances."""
        return float(np.mean(list(self.precision.values())))


@dataclass(frozen=True)
class _Curve:
    """Precision, confidence and running means of errors at `_RECALLS`."""

    precision: np.ndarray
    confidence: np.ndarray
    errors: Mapping[str, np.ndarray]


def evaluate_detection(truth: BoxTable, found: BoxTable) -> dict[str, ClassResult]:
    """Return the results of all classes."""
    return {name: evaluate_class(truth.of_class(name), found.of_class(name), name) for name in OBJECT_CLASSES}


def evaluate_class(truth: BoxTable, found: BoxTable, name: str) -> ClassResult:
    """Return the result of class `name` from its labelled and found boxes."""
    if not len(truth):
        return ClassResult(0, dict.fromkeys(DISTANCES, np.nan), dict.fromkeys(ERRORS, np.nan))
    order = np.argsort(-found.scores, kind="stable")
    found = found.select(order)
    curves = {distance: _curve(truth, found, distance, name) for distance in DISTANCES}
    precision = {distance: average_precision(curve) for distance, curve in curves.items()}
    at = curves[ERROR_DISTANCE]
    errors = {e: np.nan if name in _WITHOUT.get(e, ()) else _mean_error(at, e) for e in ERRORS}
    return ClassResult(len(truth), precision, errors)


def summarize(results: Mapping[str, ClassResult]) -> dict[str, float]:
    """Return `NDS`, `mAP` and the mean of each error over classes; NaN if nothing was to be found."""
    there = [result for result in results.values() if result.count]
    if not there:
        return dict.fromkeys(("NDS", "mAP", *(f"m{e}" for e in ERRORS)), np.nan)
    precision = float(np.mean([result.mean_precision for result in there]))
    errors = {}
    for name in ERRORS:
        known = [result.errors[name] for result in there if not np.isnan(result.errors[name])]
        errors[name] = float(np.mean(known)) if known else np.nan
    # An error that no class has says nothing against the detector.
    scores = [1.0 - min(1.0, error) for error in errors.values() if not np.isnan(error)]
    score = (MAP_WEIGHT * precision + sum(scores)) / (MAP_WEIGHT + len(scores))
    return {"NDS": score, "mAP": precision} | {f"m{name}": error for name, error in errors.items()}


def match_greedily(truth: BoxTable, found: BoxTable, distance: float) -> np.ndarray:
    """Return the labelled row (N,) of each finding, -1 for none.

    Findings choose in their order; each takes the nearest object of its frame that is still free, if near enough.
    """
    matched = np.full(len(found), -1)
    rows_of = truth.rows_by_frame()
    taken = np.zeros(len(truth), bool)
    for i, frame in enumerate(found.frame.tolist()):
        rows = rows_of.get(frame)
        if rows is None:
            continue
        gap = np.linalg.norm(truth.boxes[rows, :2] - found.boxes[i, :2], axis=-1)
        gap = np.where(taken[rows], np.inf, gap)
        best = int(np.argmin(gap))
        if gap[best] < distance:
            taken[rows[best]], matched[i] = True, rows[best]
    return matched


def average_precision(curve: _Curve) -> float:
    """Return the area under a curve above the least precision and recall, 1 for a perfect detector."""
    above = np.maximum(curve.precision[_FIRST:] - _LEAST_PRECISION, 0.0)
    return float(above.mean() / (1.0 - _LEAST_PRECISION))


def box_errors(truth: np.ndarray, found: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Return the errors (N,) of found boxes (N, 9) against labelled ones (N, 9) of class `name`."""
    smaller = np.minimum(truth[:, 3:6], found[:, 3:6]).prod(-1)
    volumes = truth[:, 3:6].prod(-1) + found[:, 3:6].prod(-1)
    turn = np.abs(wrap(found[:, 6] - truth[:, 6]))
    if name in _HALF_TURN:
        turn = np.minimum(turn, np.pi - turn)
    return {
        "trans_err": np.linalg.norm(found[:, :2] - truth[:, :2], axis=-1),
        "scale_err": 1.0 - smaller / (volumes - smaller),
        "orient_err": turn,
        "vel_err": np.linalg.norm(found[:, 7:] - truth[:, 7:], axis=-1),
    }


def _curve(truth: BoxTable, found: BoxTable, distance: float, name: str) -> _Curve:
    matched = match_greedily(truth, found, distance)
    hit = matched >= 0
    if not hit.any():
        blank = np.zeros(len(_RECALLS))
        return _Curve(blank, blank, dict.fromkeys(ERRORS, blank + 1.0))
    hits = np.cumsum(hit)
    precision, recall = hits / np.arange(1, len(hit) + 1), hits / len(truth)
    confidence = np.interp(_RECALLS, recall, found.scores, right=0)
    errors = {}
    for key, value in box_errors(truth.boxes[matched[hit]], found.boxes[hit], name).items():
        running = np.cumsum(value) / np.arange(1, len(value) + 1)
        # Scores fall along the curve, and interpolation wants them to rise.
        errors[key] = np.interp(confidence[::-1], found.scores[hit][::-1], running[::-1])[::-1]
    return _Curve(np.interp(_RECALLS, recall, precision, right=0), confidence, errors)


def _mean_error(curve: _Curve, name: str) -> float:
    """Return an error averaged over the recalls that were reached, 1 if hardly any was."""
    reached = np.flatnonzero(curve.confidence)
    last = reached[-1] if len(reached) else 0
    return float(curve.errors[name][_FIRST : last + 1].mean()) if last >= _FIRST else 1.0
