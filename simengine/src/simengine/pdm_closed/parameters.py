"""Every number and rule of PDM-Closed in one value, and the sets that are shipped."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from simengine.metrics.pdm.parameters import NAVSIM_V1, WORLDENGINE_V1, PdmParameters


@dataclass(frozen=True)
class PdmClosedParameters:
    """How proposals are made and chosen; the defaults are those of NAVSIM v1.1.

    Attributes:
        offsets: lateral offsets of the paths from the centre line, in order [m].
        speed_fractions: target speeds, as fractions of the speed limit where the drive starts.
        fallback_speed: taken for an unknown speed limit [m/s].
        min_gap: distance kept at standstill [m].
        headway: time gap to the leading object [s].
        max_acceleration: [m/s^2].
        max_deceleration: [m/s^2].
        exponent: how late the free acceleration fades below the target speed.
        acceleration_deadband: weaker accelerations than this are taken for none [m/s^2].
        dt: time between poses [s].
        proposal_steps: steps of the proposals that are simulated and scored.
        trajectory_steps: steps of the trajectory that is returned.
        refresh_every: the leading object is looked up at every so many steps, at which the forecast has frames.
        fresh_leads: the leading object is known from the first step on and nothing of another proposal's leading
            object is left in it. Published is a first step behind a wall 1 m ahead, and stale fields.
        brake_in_emergency: whether the emergency brake may replace the best proposal.
        scoring: mode whose rules simulate and compare the proposals.
    """

    offsets: tuple[float, ...] = (0.0, -1.0, 1.0)
    speed_fractions: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8, 1.0)
    fallback_speed: float = 15.0
    min_gap: float = 1.0
    headway: float = 1.5
    max_acceleration: float = 1.5
    max_deceleration: float = 3.0
    exponent: float = 10.0
    acceleration_deadband: float = 0.0
    dt: float = 0.1
    proposal_steps: int = 40
    trajectory_steps: int = 50
    refresh_every: int = 2
    fresh_leads: bool = False
    brake_in_emergency: bool = False
    scoring: PdmParameters = field(default=NAVSIM_V1)

    @property
    def choice(self) -> PdmParameters:
        """Rules by which proposals are compared: those of `scoring`, progress relative to the best of the batch.

        Relative to row 0, which is only the slowest proposal, progress would not tell the others apart.
        """
        within = {"reference": "masked_best", "reference_then_mask": "best"}
        rule = self.scoring.progress_rule
        return replace(self.scoring, progress_rule=within.get(rule, rule))


NAVSIM_PDM_CLOSED = PdmClosedParameters()
"""The progress reference of NAVSIM v1.1, quirks included."""

FRESH_PDM_CLOSED = replace(NAVSIM_PDM_CLOSED, fresh_leads=True)
"""The same without the two slips about leading objects: the one to drive with."""

WORLDENGINE_PDM_CLOSED = PdmClosedParameters(
    offsets=(0.0, -3.5, 3.5),
    speed_fractions=(0.15, 0.25, 0.5, 0.75, 1.0),
    fallback_speed=30.0,
    min_gap=10.0,
    max_acceleration=4.5,
    acceleration_deadband=0.02,
    scoring=WORLDENGINE_V1,
)
"""The reference of the published dense rewards, which take the simulated states of the best proposal."""


def reference_parameters(scoring: PdmParameters) -> PdmClosedParameters:
    """Return the PDM-Closed that is the progress reference of a scoring mode."""
    base = WORLDENGINE_PDM_CLOSED if scoring.mode == WORLDENGINE_V1.mode else NAVSIM_PDM_CLOSED
    return replace(base, scoring=scoring, fresh_leads=scoring.pdm_closed_fresh_leads)
