"""What needs no motion to be told: that answers come, are whole, repeatable, and go to who asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from algengine.doctor.finding import Finding
from algengine.doctor.motions import DECISION_DT, Moment, Motion
from algengine.doctor.show import STEPS, Stage
from algengine.doctor.target import Answer
from simengine.datatypes.plan import Plan

SAME = 1e-3
"""Poses [m, rad] up to which two plans are the same: GPUs round differently from batch to batch."""


def examine_answers(answers: Sequence[tuple[Moment, Answer]]) -> Finding:
    """Return whether every question was answered with a plan."""
    failed = [(moment, answer) for moment, answer in answers if not isinstance(answer, Plan)]
    if not failed:
        return Finding("answers", "ok", f"{len(answers)} questions, {len(answers)} plans")
    moment, text = failed[0]
    not_finite = "NaN" in text or "infinite" in text
    return Finding(
        "answers",
        "error",
        f"{len(failed)} of {len(answers)} questions failed, first {moment.motion.name}: {text}",
        "a plan for every question, standing and turning included",
        "not-finite" if not_finite else "no-plan",
        "plans hold NaN or infinite values" if not_finite else "the planner fails instead of answering",
        "divisions by speed or distance, logarithms, missing checks" if not_finite else "the planner's log",
    )


def examine_horizon(plans: Sequence[Plan], horizon: float) -> Finding:
    """Return whether plans have one length and rate and reach `horizon` [s]."""
    kinds = Counter((len(plan.poses), plan.dt) for plan in plans)
    (count, dt), _ = kinds.most_common(1)[0]
    shapes = ", ".join(f"{n} poses every {step:g} s" for n, step in kinds)
    where = "number of poses and dt of the planner's plans"
    if len(kinds) > 1:
        meaning = "plans differ in length or rate"
        return Finding(
            "horizon", "error", shapes, "the same for every plan", "horizon-changes", meaning, where
        )
    expected = f"{horizon:g} s"
    reached = f"{shapes}: {count * dt:g} s"
    if count * dt < horizon - 0.5 * dt:
        meaning = "plans are too short to be driven and scored, or dt is wrong"
        return Finding("horizon", "error", reached, f"at least {expected}", "horizon-short", meaning, where)
    if count * dt > 2.0 * horizon:
        meaning = "plans are much longer than planners plan; dt may be wrong"
        return Finding("horizon", "warning", reached, expected, "horizon-long", meaning, where)
    return Finding("horizon", "ok", reached)


def examine_repeats(stage: Stage, motions: Sequence[Motion]) -> Finding:
    """Return whether the same drive under another token gets the same plans."""
    worst = 0.0
    for motion in motions:
        first, second = (_plans(stage.drive(motion, steps=2)) for _ in range(2))
        worst = max([worst, *(_gap(a, b) for a, b in zip(first, second, strict=False))])
    observed = f"the same drive twice: plans differ by up to {worst:.2g} (m, rad)"
    if worst <= SAME:
        return Finding("repeatability", "ok", observed)
    return Finding(
        "repeatability",
        "error",
        observed,
        "the same plans",
        "not-repeatable",
        "replies depend on chance, on time or on what was asked before",
        "dropout or sampling at inference, unseeded generators, memory that step 0 does not clear",
    )


def examine_sessions(stage: Stage, motions: Sequence[Motion]) -> Finding:
    """Return whether rollouts at the same time get their own plans: asked in turns, then together."""
    check = "simultaneous rollouts"
    alone = [_plans(stage.drive(motion)) for motion in motions]
    if any(len(plans) < STEPS for plans in alone):
        return Finding(check, "info", "not checked: the planner does not answer when asked alone")
    wrong, unlike = [], []
    for how, ask in (("in turns", _in_turns), ("together", _together)):
        tokens = [stage.token() for _ in motions]
        for step in range(STEPS):
            asked = [
                stage.observation(motion.at(DECISION_DT * step), token=token, step=step)
                for motion, token in zip(motions, tokens, strict=True)
            ]
            for place, answer in enumerate(ask(stage, asked)):
                if not isinstance(answer, Plan):
                    unlike.append(f"no plan for {motions[place].name} asked {how} ({answer})")
                    continue
                gaps = [_gap(answer, plans[step]) for plans in alone]
                # Of the others every step counts: memory may answer with an earlier one.
                others = [
                    min(_gap(answer, plan) for plan in plans) for i, plans in enumerate(alone) if i != place
                ]
                if gaps[place] > SAME and min(others) < 0.5 * gaps[place]:
                    wrong.append(f"{motions[place].name} asked {how} gets the plan of another rollout")
                elif gaps[place] > 50 * SAME:
                    unlike.append(
                        f"{motions[place].name} asked {how}: {gaps[place]:.2f} m off the plan when alone"
                    )
        for token in tokens:
            stage.target.finish(token)
    if wrong:
        return Finding(
            check,
            "error",
            f"{len(wrong)} plans, first: {wrong[0]}",
            "each rollout its own plan",
            "sessions-mixed",
            "replies go to the wrong rollout",
            "the order of plans in plan_batch, memory that is not keyed by Observation.token",
        )
    if unlike:
        return Finding(
            check,
            "warning",
            f"{len(unlike)} plans, first: {unlike[0]}",
            "the plans of each rollout alone",
            "sessions-influence",
            "plans depend on what else is asked",
            "memory that is not keyed by Observation.token, batch statistics at inference",
        )
    return Finding(check, "ok", f"{len(motions)} rollouts in turns and together: each its own plans")


def _in_turns(stage: Stage, asked: list) -> list[Answer]:
    return [stage.target.ask([one])[0] for one in asked]


def _together(stage: Stage, asked: list) -> list[Answer]:
    return stage.target.ask(asked)


def _plans(answers: Sequence[tuple[Moment, Answer]]) -> list[Plan]:
    return [answer for _, answer in answers if isinstance(answer, Plan)]


def _gap(a: Plan, b: Plan) -> float:
    count = min(len(a.poses), len(b.poses))
    return float(np.abs(a.poses[:count] - b.poses[:count]).max())
