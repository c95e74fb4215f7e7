"""What the extended PDM score adds to `PdmParameters`, and the two modes that are shipped."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from simengine.errors import ConfigError
from simengine.metrics.pdm.parameters import CORRECTED, NAVSIM_V1, ComfortRules, PdmParameters

V2_WINDOWS = ComfortRules(
    acceleration_window=8, presmoothing_window=8, jerk_window=15, yaw_window=5, centripetal=False
)


@dataclass(frozen=True)
class EpdmsParameters:
    """Weights and rules of the extended score; the defaults are those of NAVSIM v2.2.

    Attributes:
        pdm: everything shared with the PDM score, the mode's name included.
        weight_lane_keeping: weight of lane keeping.
        weight_history_comfort: weight of history comfort.
        weight_extended_comfort: weight of two-frame extended comfort, which drops out where that is unknown.
        history: windows of the filters of history comfort.
        extended: windows of the filters of extended comfort.
        whole_past: the past reaches up to the present; NAVSIM leaves out its last sample.
        clipped_progress: progress is divided by the best masked progress and cut at 1, failures included;
            otherwise the rule of `pdm.progress_rule` holds.
        longest_pair_time: two frames farther apart than this, or as far, are no pair [s].
        acceleration_difference: largest root mean square between two frames [m/s^2].
        jerk_difference: likewise [m/s^3].
        yaw_rate_difference: likewise [rad/s].
        yaw_acceleration_difference: likewise [rad/s^2].
        follow_up_variance: of the Gaussian by which follow-up scenes of the second stage are weighted [m^2].
    """

    pdm: PdmParameters = field(
        default_factory=lambda: replace(NAVSIM_V1, mode="epdms", ttc_whole_look_ahead=True)
    )
    weight_lane_keeping: float = 2.0
    weight_history_comfort: float = 2.0
    weight_extended_comfort: float = 2.0
    history: ComfortRules = V2_WINDOWS
    extended: ComfortRules = V2_WINDOWS
    whole_past: bool = False
    clipped_progress: bool = True
    longest_pair_time: float = 0.55
    acceleration_difference: float = 0.7
    jerk_difference: float = 0.5
    yaw_rate_difference: float = 0.1
    yaw_acceleration_difference: float = 0.1
    follow_up_variance: float = 0.1

    @property
    def mode(self) -> str:
        """Label written beside every score."""
        return self.pdm.mode


EPDMS = EpdmsParameters()
"""NAVSIM v2.2 with everything that looks unintended in it."""

EPDMS_CORRECTED = EpdmsParameters(
    pdm=replace(CORRECTED, mode="epdms_corrected", ttc_whole_look_ahead=True),
    history=CORRECTED.comfort,
    extended=CORRECTED.comfort,
    whole_past=True,
    clipped_progress=False,
)
"""The same score with the unintended behaviours put right; docs/epdms.md goes through them one by one."""

MODES = {parameters.mode: parameters for parameters in (EPDMS, EPDMS_CORRECTED)}


def epdms_parameters_of(mode: str) -> EpdmsParameters:
    """Return the parameters of a mode of the extended score, or raise `ConfigError` for an unknown one."""
    if mode not in MODES:
        raise ConfigError(f"unknown mode {mode!r} of the extended score, expected one of {', '.join(MODES)}")
    return MODES[mode]
