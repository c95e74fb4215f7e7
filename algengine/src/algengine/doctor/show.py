"""Showing the planner a motion or a road: observations as the simulator makes them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from algengine.doctor.motions import DECISION_DT, Moment, Motion
from algengine.doctor.road import Road, make_rig, paint
from algengine.doctor.target import Answer, Target
from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan

STEPS = 3
START_US = 1_700_000_000_000_000
Change = Callable[[Observation], Observation]


def unchanged(observation: Observation) -> Observation:
    """Return what the simulator would say."""
    return observation


@dataclass(frozen=True)
class Answered:
    """A plan and the moment it was made for.

    Attributes:
        moment: of the motion.
        plan: what the planner answered.
    """

    moment: Moment
    plan: Plan


@dataclass(frozen=True)
class Stage:
    """Where a planner is shown things.

    Attributes:
        target: the planner.
        history: entries of the ego history.
        cameras: of the rig; none if the planner sees no images.
        numbers: makes tokens that were never used.
        pictures: painted so far.
    """

    target: Target
    history: int = 4
    cameras: tuple[CameraCalibration, ...] = field(default_factory=make_rig)
    numbers: itertools.count = field(default_factory=itertools.count)
    pictures: dict[Road, dict[str, np.ndarray]] = field(default_factory=dict)

    def token(self) -> str:
        """Return the token of a new rollout; it tells nothing."""
        return f"doctor{next(self.numbers):06d}"

    def observation(
        self, moment: Moment, road: Road | None = None, token: str = "doctor", step: int = 0
    ) -> Observation:
        """Return what a simulator would tell at a moment; without a road the cameras see one along the motion."""
        turn = moment.motion.curvature
        road = road or Road(turn, turn)
        if road not in self.pictures:
            self.pictures[road] = paint(road, self.cameras)
        past = [moment.earlier(DECISION_DT * k) for k in range(self.history - 1, -1, -1)]
        yaw_rate, acceleration = moment.motion.yaw_rate, moment.motion.acceleration
        return Observation(
            token=token,
            step=step,
            timestamp_us=START_US + round(1e6 * moment.time),
            images=dict(self.pictures[road]),
            cameras=self.cameras,
            ego_pose=moment.pose,
            ego_history=np.stack([one.seen_from(moment) for one in past]),
            velocity_history=np.array([[one.speed, 0.0] for one in past]),
            acceleration_history=np.array([[acceleration, one.speed * yaw_rate] for one in past]),
            command_history=np.full(self.history, int(moment.motion.command), np.int8),
            history_valid=np.ones(self.history, bool),
            history_dt=DECISION_DT,
        )

    def drive(
        self, motion: Motion, change: Change = unchanged, steps: int = STEPS
    ) -> list[tuple[Moment, Answer]]:
        """Return the answers of one rollout along a motion, step by step.

        Args:
            motion: what the ego does, whatever the planner wants.
            change: of each observation before it is shown.
            steps: decisions, 0.5 s apart.
        """
        token, answers = self.token(), []
        for step in range(steps):
            moment = motion.at(DECISION_DT * step)
            (answer,) = self.target.ask([change(self.observation(moment, token=token, step=step))])
            answers.append((moment, answer))
        self.target.finish(token)
        return answers

    def show(self, moment: Moment, road: Road, change: Change = unchanged) -> Answer:
        """Return the answer to one picture of a road, the first of a new rollout."""
        token = self.token()
        (answer,) = self.target.ask([change(self.observation(moment, road, token))])
        self.target.finish(token)
        return answer


def plans_of(answers: Sequence[tuple[Moment, Answer]]) -> list[Answered]:
    """Return the answers that are plans."""
    return [Answered(moment, answer) for moment, answer in answers if isinstance(answer, Plan)]
