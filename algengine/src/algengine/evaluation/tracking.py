"""Tracking as nuScenes measures it: AMOTA and AMOTP over recalls, MOTA and identity switches at the best of them.

CLEAR MOT (Bernardin and Stiefelhagen 2008) averaged over recalls (Weng and Kitani 2019), with the constants and
conventions of the nuScenes tracking task: findings of one track share their mean score, objects and tracks are matched
within 2 m, recalls that are not reached count as worst. A class without a labelled box has no result (NaN).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from algengine.evaluation.boxes import BoxTable, center_distance

DISTANCE = 2.0
"""A track is on an object if their centres are this near [m]."""

RECALLS = np.linspace(0.1, 1.0, 40).round(12)
TRACKED_CLASSES = ("vehicle", "bicycle", "pedestrian")
"""Classes that move and are tracked."""

METRICS = ("amota", "amotp", "mota", "ids")


@dataclass(frozen=True)
class Events:
    """What happened over all frames at one threshold of scores.

    Attributes:
        objects: labelled boxes.
        matches: of them followed by the same track as before, or by a first one.
        switches: of them followed by another track than before.
        false_positives: findings on no object.
        distance: sum of distances of centres over matches and switches [m].
        match_scores: score of each match.
    """

    objects: int
    matches: int
    switches: int
    false_positives: int
    distance: float
    match_scores: np.ndarray

    @property
    def mota(self) -> float:
        """Multi-object tracking accuracy, not below 0."""
        misses = self.objects - self.matches - self.switches
        return max(0.0, 1.0 - (misses + self.switches + self.false_positives) / self.objects)

    @property
    def motar(self) -> float:
        """The same relative to the recall that was reached, as nuScenes has it; NaN without matches."""
        recall = self.matches / self.objects
        if recall == 0:
            return np.nan
        misses = self.objects - self.matches - self.switches
        wrong = misses + self.switches + self.false_positives - (1.0 - recall) * self.objects
        return max(0.0, 1.0 - wrong / (recall * self.objects))

    @property
    def motp(self) -> float:
        """Mean distance of what is followed [m]; NaN if nothing is."""
        followed = self.matches + self.switches
        return self.distance / followed if followed else np.nan


def evaluate_tracking(truth: BoxTable, found: BoxTable) -> dict[str, dict[str, float]]:
    """Return `METRICS` of each tracked class."""
    return {name: evaluate_class(truth.of_class(name), found.of_class(name)) for name in TRACKED_CLASSES}


def evaluate_class(truth: BoxTable, found: BoxTable) -> dict[str, float]:
    """Return `METRICS` of one class from its labelled and found boxes; findings that are not followed do not count."""
    if not len(truth):
        return dict.fromkeys(METRICS, np.nan)
    found = with_mean_scores(found.select(found.ids >= 0))
    every = follow(truth, found)
    reached = [follow(truth, found.select(found.scores >= t)) for t in thresholds(every)]
    if not reached:
        return {"amota": 0.0, "amotp": DISTANCE, "mota": 0.0, "ids": 0.0}
    missing = len(RECALLS) - len(reached)
    accuracy = np.nan_to_num([events.motar for events in reached], nan=0.0)
    precision = np.nan_to_num([events.motp for events in reached], nan=DISTANCE)
    # Of equally good recalls the highest one counts.
    best = max(reversed(reached), key=lambda events: events.mota)
    return {
        "amota": float(accuracy.sum() / len(RECALLS)),
        "amotp": float((precision.sum() + missing * DISTANCE) / len(RECALLS)),
        "mota": best.mota,
        "ids": float(best.switches),
    }


def summarize(results: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return means over the classes that have objects, `IDS` as a sum; NaN if none has."""
    there = [result for result in results.values() if not np.isnan(result["amota"])]
    if not there:
        return dict.fromkeys(("AMOTA", "AMOTP", "MOTA", "IDS"), np.nan)
    means = {name.upper(): float(np.mean([r[name] for r in there])) for name in METRICS[:-1]}
    return means | {"IDS": float(sum(r["ids"] for r in there))}


def with_mean_scores(found: BoxTable) -> BoxTable:
    """Return the findings, each with the mean score of its track."""
    if not len(found):
        return found
    _, track = np.unique(np.stack([found.drive, found.ids]), axis=1, return_inverse=True)
    track = track.reshape(-1)
    mean = np.bincount(track, found.scores) / np.bincount(track)
    return BoxTable(found.frame, found.drive, found.boxes, found.labels, found.ids, mean[track])


def thresholds(every: Events) -> np.ndarray:
    """Return the least score at each of `RECALLS` that is reached, from what happens without a threshold."""
    scores = np.sort(every.match_scores)[::-1]
    if not len(scores):
        return np.zeros(0)
    recall = np.arange(1, len(scores) + 1) / every.objects
    return np.interp(RECALLS, recall, scores)[recall[-1] >= RECALLS]


def follow(truth: BoxTable, found: BoxTable) -> Events:
    """Return what happens: objects stay with their track while it is near, the rest is matched at least distance."""
    counts = dict.fromkeys(("matches", "switches", "false_positives"), 0)
    distance, scores, last = 0.0, [], {}
    for objects, tracks in _frames(truth, found):
        pairs, gaps = match_frame(truth.select(objects), found.select(tracks), last)
        for (i, j), gap in zip(pairs, gaps, strict=True):
            row, track = objects[i], tracks[j]
            key = (truth.drive[row], truth.ids[row])
            switched = last.get(key, found.ids[track]) != found.ids[track]
            counts["switches" if switched else "matches"] += 1
            if not switched:
                scores.append(found.scores[track])
            last[key] = found.ids[track]
            distance += gap
        counts["false_positives"] += len(tracks) - len(pairs)
    return Events(len(truth), **counts, distance=distance, match_scores=np.array(scores))


def match_frame(
    objects: BoxTable, tracks: BoxTable, last: Mapping[tuple[int, int], int]
) -> tuple[list[tuple[int, int]], list[float]]:
    """Return pairs of object and track in one frame, and their distances [m].

    Args:
        objects: labelled boxes of the frame.
        tracks: found boxes of the frame.
        last: identity of the track that each object (drive, id) was last followed by.
    """
    gap = center_distance(objects.boxes, tracks.boxes)
    gap = np.where(gap < DISTANCE, gap, np.inf)
    pairs = []
    where = {identity: j for j, identity in enumerate(tracks.ids)}
    for i, key in enumerate(zip(objects.drive, objects.ids, strict=True)):
        j = where.get(last.get(key))
        if j is not None and np.isfinite(gap[i, j]) and j not in {taken for _, taken in pairs}:
            pairs.append((i, j))
    free = gap.copy()
    for i, j in pairs:
        free[i, :], free[:, j] = np.inf, np.inf
    # No finite number of metres outweighs one more pair.
    cost = np.where(np.isfinite(free), free, 1e6)
    rows, columns = linear_sum_assignment(cost)
    pairs += [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if np.isfinite(free[i, j])]
    return pairs, [float(gap[pair]) for pair in pairs]


def _frames(truth: BoxTable, found: BoxTable) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the labelled and found rows of each frame that has any, in order."""
    objects, tracks, none = truth.rows_by_frame(), found.rows_by_frame(), np.zeros(0, np.int64)
    for frame in sorted(objects.keys() | tracks.keys()):
        yield objects.get(frame, none), tracks.get(frame, none)
