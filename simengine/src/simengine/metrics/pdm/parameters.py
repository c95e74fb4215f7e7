"""Every constant of the PDM score in one value."""

from __future__ import annotations

from dataclasses import dataclass

from simengine.errors import ConfigError


@dataclass(frozen=True)
class PdmParameters:
    """Thresholds and weights; the defaults are those of NAVSIM v1.1.

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
        progress_threshold: below this best progress, everyone gets full progress [m].
        direction_window: time over which wrong-way driving adds up [s].
        direction_compliant: less than this far the wrong way is fine [m].
        direction_violation: at least this far the wrong way scores zero [m].
        map_radius: half side of the square in which map objects count [m].
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
    progress_threshold: float = 5.0
    direction_window: float = 1.0
    direction_compliant: float = 2.0
    direction_violation: float = 6.0
    map_radius: float = 100.0


MODES = ("navsim_v1",)


def parameters_of(mode: str) -> PdmParameters:
    """Return the parameters of a scoring mode, or raise `ConfigError` for an unknown one."""
    if mode not in MODES:
        raise ConfigError(
            f"unknown scoring mode {mode!r}, expected one of {', '.join(MODES)}: fix metrics.mode"
        )
    return PdmParameters(mode=mode)
