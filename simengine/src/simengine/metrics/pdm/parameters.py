"""Every constant and every rule of the PDM score in one value, and the modes that are shipped."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from simengine.errors import ConfigError


@dataclass(frozen=True)
class ComfortRules:
    """Windows and inputs of the comfort filters; windows are numbers of samples, at most the series length.

    Attributes:
        acceleration_window: smoothing of both accelerations; None fits one parabola to the whole series.
        presmoothing_window: smoothing of the acceleration before it is differentiated to jerk.
        jerk_window: differentiation to jerk; None fits one parabola to the whole series.
        yaw_window: both yaw filters.
        centripetal: lateral acceleration is speed times yaw rate instead of the model's, which is always 0, and
            the jerk magnitude is that of the acceleration vector instead of its length.
    """

    acceleration_window: int | None = None
    presmoothing_window: int = 8
    jerk_window: int | None = None
    yaw_window: int = 5
    centripetal: bool = False


@dataclass(frozen=True)
class PdmParameters:
    """Thresholds, weights and rules; the defaults are those of NAVSIM v1.1.

    Attributes:
        mode: label written beside every score.
        weight_progress: weight of ego progress.
        weight_ttc: weight of time to collision.
        weight_comfort: weight of comfort.
        weight_direction: weight of driving direction; 0 means that it is reported only.
        stopped_speed: at most this fast, an ego or a track counts as standing in a collision [m/s].
        ttc_stopped_speed: slower than this, an ego has no time to collision [m/s].
        ahead_angle_deg: a track within this angle of the heading is ahead.
        behind_angle_deg: a track beyond this angle of the heading is behind.
        ttc_horizon: projections end before or at this time [s].
        ttc_step: time between projections [s].
        ttc_whole_look_ahead: only states are judged whose last projection still meets observed tracks.
        progress_threshold: up to this best progress, everyone gets full progress [m].
        progress_rule: what progress is divided by. `masked_best`: the best of the batch, failed proposals counting
            0. `reference`: the larger of row 0 and the own row, nothing masked. `best`: the best of the batch,
            nothing masked before, failures 0 after. `reference_then_mask`: `reference`, failures 0 after.
        direction_rule: `window` sums wrong-way metres over a second, `stretch` over a contiguous stretch.
        direction_window: time over which wrong-way driving adds up [s].
        direction_compliant: less than this far the wrong way is fine [m].
        direction_violation: at least this far the wrong way scores zero [m].
        lane_keeping_offset: farther than this from the centre line is off the lane [m].
        lane_keeping_time: this long off the lane is a failure of lane keeping [s].
        map_radius: half side of the square in which map objects count [m].
        areas: which polygons count for what. `navsim`: lanes and connectors can be straddled; roadblocks,
            intersections, car parks and drivable areas carry the ego. `connectors_carry`: only lanes can be straddled,
            connectors carry the ego too. `every_polygon`: all polygons can be straddled and carry the ego.
        speed_at_contact: whether a track stands is decided by its speed at the contact, not at its first appearance.
        harmless_from_behind: a standing track behind an ego that does not reverse is never its fault.
        excuse_ends_with_contact: a harmless contact or projected contact excuses later ones only while it lasts.
        ttc_from_moved_ego: ahead and behind are seen from the projected ego, not from the present one.
        lone_detections_vanish: a track detected once exists around that time only, not for ever.
        comfort: filters of the comfort sub-score.
        jerk_penalty: the speed fit of the tracker penalises jerk, as intended, not acceleration.
        steering_from_yaw_rate: the first steering angle follows from the logged yaw rate instead of being 0.
        pdm_closed_fresh_leads: PDM-Closed sees its leading object from the first step on, with no stale fields.
    """

    mode: str = "navsim_v1"
    weight_progress: float = 5.0
    weight_ttc: float = 5.0
    weight_comfort: float = 2.0
    weight_direction: float = 0.0
    stopped_speed: float = 0.05
    ttc_stopped_speed: float = 0.005
    ahead_angle_deg: float = 30.0
    behind_angle_deg: float = 150.0
    ttc_horizon: float = 1.0
    ttc_step: float = 0.3
    ttc_whole_look_ahead: bool = False
    progress_threshold: float = 5.0
    progress_rule: Literal["masked_best", "reference", "best", "reference_then_mask"] = "masked_best"
    direction_rule: Literal["window", "stretch"] = "window"
    direction_window: float = 1.0
    direction_compliant: float = 2.0
    direction_violation: float = 6.0
    lane_keeping_offset: float = 0.5
    lane_keeping_time: float = 2.0
    map_radius: float = 100.0
    areas: Literal["navsim", "connectors_carry", "every_polygon"] = "navsim"
    speed_at_contact: bool = False
    harmless_from_behind: bool = False
    excuse_ends_with_contact: bool = False
    ttc_from_moved_ego: bool = False
    lone_detections_vanish: bool = False
    comfort: ComfortRules = field(default_factory=ComfortRules)
    jerk_penalty: bool = False
    steering_from_yaw_rate: bool = False
    pdm_closed_fresh_leads: bool = False


NAVSIM_V1 = PdmParameters()
"""NAVSIM v1.1 with everything that looks unintended in it."""

CORRECTED = PdmParameters(
    mode="corrected",
    progress_threshold=1.0,
    progress_rule="reference",
    areas="connectors_carry",
    speed_at_contact=True,
    harmless_from_behind=True,
    excuse_ends_with_contact=True,
    ttc_from_moved_ego=True,
    lone_detections_vanish=True,
    comfort=ComfortRules(9, 9, 15, 15, centripetal=True),
    jerk_penalty=True,
    steering_from_yaw_rate=True,
    pdm_closed_fresh_leads=True,
)
"""The same score with the unintended behaviours put right; docs/scores.md goes through them one by one."""

WORLDENGINE_V1 = PdmParameters(
    mode="worldengine_v1",
    ttc_step=0.1,
    ttc_whole_look_ahead=True,
    progress_threshold=0.1,
    progress_rule="best",
    direction_rule="stretch",
    areas="every_polygon",
)
"""The published closed-loop score; it is meant for states 0.5 s apart."""

WORLDENGINE_V1_DENSE = replace(WORLDENGINE_V1, progress_rule="reference_then_mask")
"""The published reward of every vocabulary entry: row 0 is the reference, states 0.1 s apart."""

MODES = {parameters.mode: parameters for parameters in (NAVSIM_V1, CORRECTED, WORLDENGINE_V1)}


def parameters_of(mode: str) -> PdmParameters:
    """Return the parameters of a scoring mode, or raise `ConfigError` for an unknown one."""
    if mode not in MODES:
        raise ConfigError(
            f"unknown scoring mode {mode!r}, expected one of {', '.join(MODES)}: fix the key metric"
        )
    return MODES[mode]
