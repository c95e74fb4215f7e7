"""No at-fault collision (NC): 1, 0.5 after hitting an object, 0 after hitting a road user."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numba import njit

from simengine.geometry.overlap import box_overlap
from simengine.metrics.pdm.contact import NEVER, TrackBoxes, Violations, angle_to, nearby
from simengine.metrics.pdm.ego_areas import EgoAreas
from simengine.metrics.pdm.ego_geometry import EgoGeometry
from simengine.metrics.pdm.parameters import PdmParameters
from simengine.rows import for_rows

STANDING_TRACK, FRONT, LATERAL = 0, 1, 2


class CollisionKind(IntEnum):
    """How an at-fault collision came about."""

    STANDING_TRACK = STANDING_TRACK
    FRONT = FRONT
    LATERAL = LATERAL


def no_at_fault_collisions(
    ego: EgoGeometry,
    tracks: TrackBoxes,
    areas: EgoAreas,
    parameters: PdmParameters,
    threads: int | None = None,
) -> tuple[np.ndarray, Violations]:
    """Return NC (P,) and the first at-fault collisions.

    A contact is the ego's fault if it moves and runs into a standing track or with its front edge into
    any track, or touches one from the side while it straddles lanes or leaves the road. A harmless contact
    excuses later ones with the same track.

    Args:
        ego: geometry of P sequences of S states; state s meets track frame s.
        tracks: boxes of the tracks.
        areas: area flags of the same states.
        parameters: thresholds and rules.
        threads: see `for_rows`.
    """
    score, found = np.ones(ego.count), Violations.none(ego.count)
    near = nearby(ego, tracks, np.zeros(1, np.int64), 0.0)
    pose = np.stack([ego.x, ego.y, ego.cos, ego.sin, ego.center_x, ego.center_y, ego.speed, ego.forward])
    half = np.array([ego.half_length, ego.half_width])
    exposed = areas.multiple_lanes | areas.non_drivable
    rules = (
        parameters.stopped_speed,
        np.deg2rad(parameters.behind_angle_deg),
        parameters.harmless_from_behind,
        parameters.excuse_ends_with_contact,
    )

    def work(a: int, b: int) -> None:
        out = (score[a:b], found.first_frame[a:b], found.track[a:b], found.detail[a:b])
        _judge(
            pose[:, a:b], half, exposed[a:b], tracks.arrays, tracks.standing, tracks.static, near, rules, out
        )

    for_rows(work, ego.count, threads)
    return score, found


@njit(cache=True, nogil=True, error_model="numpy")
def _kind(at, half, box, size, standing, exposed, rules):  # type: ignore[no-untyped-def]
    """The kind of an at-fault contact, -1 if it is harmless."""
    x, y, cos, sin, cx, cy, speed, forward = at
    stopped_speed, behind_angle, harmless_from_behind, _ = rules
    if speed <= stopped_speed:
        return -1
    behind = angle_to(x, y, cos, sin, box[0], box[1]) > behind_angle
    if standing and not (behind and harmless_from_behind and forward >= 0.0):
        return STANDING_TRACK
    if behind:
        return -1
    fx, fy = cx + half[0] * cos, cy + half[0] * sin
    if box_overlap(fx, fy, cos, sin, 0.0, half[1], box[0], box[1], box[2], box[3], size[0], size[1]):
        return FRONT
    return LATERAL if exposed else -1


@njit(cache=True, nogil=True, error_model="numpy")
def _judge(pose, half, exposed, boxes, standing, static, near, rules, out):  # type: ignore[no-untyped-def]
    tracks, sizes = boxes
    start, rows = near
    score, first_frame, first_track, kinds = out
    ends = rules[3]
    # The last frame of a harmless contact with each track.
    harmless = np.empty(tracks.shape[1], np.int64)
    radius = np.hypot(half[0], half[1])
    for p in range(pose.shape[1]):
        harmless[:] = NEVER
        for s in range(pose.shape[2]):
            cos, sin, cx, cy = pose[2, p, s], pose[3, p, s], pose[4, p, s], pose[5, p, s]
            for i in range(start[s], start[s + 1]):
                a = rows[i]
                # Numbers, not slices: a slice costs more than the test it feeds.
                bx, by, length, width = tracks[s, a, 0], tracks[s, a, 1], sizes[a, 0], sizes[a, 1]
                dx, dy, reach = bx - cx, by - cy, radius + length + width
                if dx * dx + dy * dy > reach * reach:
                    continue
                bc, bs = tracks[s, a, 2], tracks[s, a, 3]
                if not box_overlap(cx, cy, cos, sin, half[0], half[1], bx, by, bc, bs, length, width):
                    continue
                if harmless[a] != NEVER and (not ends or harmless[a] == s - 1):
                    harmless[a] = s
                    continue
                kind = _kind(
                    pose[:, p, s], half, tracks[s, a], sizes[a], standing[s, a], exposed[p, s], rules
                )
                if kind < 0:
                    harmless[a] = s
                    continue
                score[p] = min(score[p], 0.5 if static[a] else 0.0)
                if first_track[p] < 0:
                    first_frame[p], first_track[p], kinds[p] = s, a, kind
            if score[p] == 0.0:
                break
