"""Time to collision within bound (TTC): 0 if the ego, going on straight, would soon run into a track."""

from __future__ import annotations

import numpy as np
from numba import njit

from simengine.geometry.overlap import box_overlap
from simengine.metrics.pdm.contact import NEVER, TrackBoxes, Violations, angle_to, nearby
from simengine.metrics.pdm.ego_areas import EgoAreas
from simengine.metrics.pdm.ego_geometry import EgoGeometry
from simengine.metrics.pdm.parameters import PdmParameters
from simengine.rows import for_rows


def look_ahead_frames(dt: float, parameters: PdmParameters) -> np.ndarray:
    """Return the projected frames after each state: 0, 3, 6, 9 at 0.1 s and 0, 1, 2 at 0.5 s."""
    stride = max(1, round(parameters.ttc_step / dt))
    return np.arange(0, int(parameters.ttc_horizon / dt + 1e-9) + 1, stride)


def time_to_collision(
    ego: EgoGeometry,
    tracks: TrackBoxes,
    areas: EgoAreas,
    *,
    dt: float,
    parameters: PdmParameters,
    threads: int | None = None,
) -> tuple[np.ndarray, Violations]:
    """Return TTC (P,) and its first violations.

    Each state is moved on at constant speed and heading and compared with the tracks of the later
    frame; pairs beyond the last track frame are left out.

    Args:
        ego: geometry of P sequences of S states; state s meets track frame s.
        tracks: boxes over at least S frames.
        areas: area flags of the same states.
        dt: time between states [s].
        parameters: thresholds and rules.
        threads: see `for_rows`.
    """
    ahead = look_ahead_frames(dt, parameters)
    judged = ego.num_states
    if parameters.ttc_whole_look_ahead:
        judged = max(min(judged, tracks.num_frames - int(ahead[-1])), 0)
    score, found = np.ones(ego.count), Violations.none(ego.count)
    pose = np.stack([ego.x, ego.y, ego.cos, ego.sin, ego.center_x, ego.center_y, ego.speed])[:, :, :judged]
    exposed = areas.multiple_lanes | areas.non_drivable | areas.in_intersection
    near = nearby(ego, tracks, ahead, dt)
    half = np.array([ego.half_length, ego.half_width])
    rules = (
        parameters.ttc_stopped_speed,
        np.deg2rad(parameters.ahead_angle_deg),
        np.deg2rad(parameters.behind_angle_deg),
        parameters.ttc_from_moved_ego,
        parameters.excuse_ends_with_contact,
    )

    def work(a: int, b: int) -> None:
        out = (score[a:b], found.first_frame[a:b], found.track[a:b], found.detail[a:b])
        _judge(pose[:, a:b], half, exposed[a:b], tracks.arrays, near, ahead, ahead * dt, rules, out)

    for_rows(work, ego.count, threads)
    return score, found


@njit(cache=True, nogil=True, error_model="numpy")
def _judge(pose, half, exposed, boxes, near, ahead, times, rules, out):  # type: ignore[no-untyped-def]
    tracks, sizes = boxes
    start, rows = near
    score, first_frame, first_track, looks = out
    slow, ahead_angle, behind_angle, from_moved, ends = rules
    # The last state with a harmless contact with each track.
    harmless = np.empty(tracks.shape[1], np.int64)
    radius = np.hypot(half[0], half[1])
    for p in range(pose.shape[1]):
        harmless[:] = NEVER
        for s in range(pose.shape[2]):
            speed = pose[6, p, s]
            if speed < slow:
                continue
            x, y, cos, sin = pose[0, p, s], pose[1, p, s], pose[2, p, s], pose[3, p, s]
            cx, cy = pose[4, p, s], pose[5, p, s]
            for k in range(len(ahead)):
                far, frame = times[k] * speed, s + ahead[k]
                mx, my = cx + far * cos, cy + far * sin
                for i in range(start[s * len(ahead) + k], start[s * len(ahead) + k + 1]):
                    a = rows[i]
                    # Numbers, not slices: a slice costs more than the test it feeds.
                    bx, by, length, width = tracks[frame, a, 0], tracks[frame, a, 1], sizes[a, 0], sizes[a, 1]
                    dx, dy, reach = bx - mx, by - my, radius + length + width
                    excused = harmless[a] != NEVER and (not ends or harmless[a] >= s - 1)
                    # Whoever is excused for good need not be looked at; otherwise the contact has to last.
                    if dx * dx + dy * dy > reach * reach or (excused and not ends):
                        continue
                    bc, bs = tracks[frame, a, 2], tracks[frame, a, 3]
                    if not box_overlap(mx, my, cos, sin, half[0], half[1], bx, by, bc, bs, length, width):
                        continue
                    if excused:
                        harmless[a] = s
                        continue
                    seen = far if from_moved else 0.0
                    angle = angle_to(x + seen * cos, y + seen * sin, cos, sin, bx, by)
                    if angle < ahead_angle or (exposed[p, s] and not angle > behind_angle):
                        score[p] = 0.0
                        first_frame[p], first_track[p], looks[p] = s, a, ahead[k]
                        break
                    harmless[a] = s
                if score[p] == 0.0:
                    break
            if score[p] == 0.0:
                break
