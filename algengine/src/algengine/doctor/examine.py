"""A whole examination."""

from __future__ import annotations

from algengine.doctor.cameras import examine_cameras
from algengine.doctor.driving import examine_driving
from algengine.doctor.finding import Finding
from algengine.doctor.motions import standard_motions
from algengine.doctor.protocol import examine_answers, examine_horizon, examine_repeats, examine_sessions
from algengine.doctor.show import Stage, plans_of

HORIZON = 4.0


def examine(stage: Stage, horizon: float = HORIZON) -> list[Finding]:
    """Return the findings of all checks, in the order in which they are made.

    Args:
        stage: with the planner.
        horizon: that plans must reach [s].
    """
    motions = standard_motions()
    drives = [stage.drive(motion) for motion in motions]
    answers = [one for drive in drives for one in drive]
    findings = [examine_answers(answers)]
    plans = plans_of(answers)
    if not plans:
        return findings
    findings.append(examine_horizon([one.plan for one in plans], horizon))
    straight, _, _, _, left, right = motions[:6]
    findings.append(examine_repeats(stage, (straight, left)))
    findings.append(examine_sessions(stage, (straight, left, right)))
    told = [one for drive in drives for one in plans_of(drive[1:])]
    if told:
        findings += examine_driving(stage, motions, told)
    return [*findings, examine_cameras(stage)]


def is_sound(findings: list[Finding]) -> bool:
    """Return whether no check found a mistake."""
    return all(finding.level != "error" for finding in findings)
