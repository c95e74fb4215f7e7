"""Correct planners for the doctor, and wrappers that plant one mistake each.

The wrappers are written from the planner's side and share no code with the doctor's corrections.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan

DT, POSES = 0.1, 40


class TurnKeeper:
    """Keeps speed and turn, told from the history of poses and velocities."""

    name = "turn_keeper"

    def __init__(self, dt: float = DT, poses: int = POSES) -> None:
        self.times = dt * np.arange(1, poses + 1)
        self.dt = dt

    def plan_batch(self, observations: list[Observation]) -> list[Plan]:
        return [Plan(self.poses(one), self.dt) for one in observations]

    def poses(self, observation: Observation) -> np.ndarray:
        before, now = observation.ego_history[-2:]
        rate = (now[2] - before[2]) / observation.history_dt
        return drive(observation.velocity_history[-1, 0], rate, self.times)

    def forget(self, token: str) -> None:
        pass


class PoseKeeper(TurnKeeper):
    """Keeps speed and turn, told from the history of poses alone."""

    name = "pose_keeper"

    def poses(self, observation: Observation) -> np.ndarray:
        before, now = observation.ego_history[-2:]
        gap = now - before
        rate = gap[2] / observation.history_dt
        forward = np.cos(before[2]) * gap[0] + np.sin(before[2]) * gap[1]
        half = 0.5 * gap[2]
        length = forward / (np.sinc(half / np.pi) * np.cos(half))
        return drive(length / observation.history_dt, rate, self.times)


class SpeedKeeper(TurnKeeper):
    """Keeps speed, straight ahead even in turns."""

    name = "speed_keeper"

    def poses(self, observation: Observation) -> np.ndarray:
        return drive(observation.velocity_history[-1, 0], 0.0, self.times)


class Accelerator(TurnKeeper):
    """Keeps acceleration and curvature."""

    name = "accelerator"

    def poses(self, observation: Observation) -> np.ndarray:
        before, now = observation.ego_history[-2:]
        rate = (now[2] - before[2]) / observation.history_dt
        speed, gain = observation.velocity_history[-1, 0], observation.acceleration_history[-1, 0]
        length = np.maximum.accumulate(speed * self.times + 0.5 * gain * self.times**2)
        curvature = rate / speed if speed > 0.1 else 0.0
        return np.stack([arc(s, curvature * s) for s in length])


class LogReplay(TurnKeeper):
    """Knows the drives beforehand, as a follower of logs or lanes does, and finds its place in the world."""

    name = "log_replay"

    def __init__(self, motions, dt: float = DT, poses: int = POSES) -> None:
        super().__init__(dt, poses)
        self.motions = motions

    def poses(self, observation: Observation) -> np.ndarray:
        from simengine.geometry.se2 import to_local

        moments = [motion.at(0.5 * k) for motion in self.motions for k in range(4)]

        def unlike(moment) -> float:
            gap = moment.pose - observation.ego_pose
            return float(np.abs(gap).sum() + abs(moment.speed - observation.velocity_history[-1, 0]))

        # Two drives may share pose and speed; then the history tells them apart.
        best = min(
            moments,
            key=lambda m: unlike(m) + np.abs(m.earlier(0.5).seen_from(m) - observation.ego_history[-2]).sum(),
        )
        future = np.stack([best.motion.at(best.time + t).pose for t in self.times])
        return to_local(observation.ego_pose, future)


class Cautious(TurnKeeper):
    """Brakes a little, keeps to the left by 0.3 m and repeats itself: a planner with a will of its own."""

    name = "cautious"

    def poses(self, observation: Observation) -> np.ndarray:
        before, now = observation.ego_history[-2:]
        rate = (now[2] - before[2]) / observation.history_dt
        speed = observation.velocity_history[-1, 0]
        length = np.minimum(speed * self.times - 0.4 * self.times**2, speed**2 / 1.6)
        length = np.where(self.times > speed / 0.8, speed**2 / 1.6, length)
        curvature = rate / speed if speed > 0.1 else 0.0
        poses = np.stack([arc(s, curvature * s) for s in length])
        poses[:, 1] += 0.3 * np.minimum(self.times / 3.0, 1.0) ** 2 * min(speed / 5.0, 1.0)
        return poses


class Willful(TurnKeeper):
    """A random driver: accelerates or cruises, turns too little or too much, lags, drifts aside, jitters."""

    name = "willful"

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        dt = float(rng.choice([0.1, 0.2, 0.5]))
        super().__init__(dt, round(4.0 / dt))
        self.seed = seed
        self.gain = float(rng.uniform(-1.5, 1.5))
        self.cruise = float(rng.uniform(4, 13)) if rng.uniform() < 0.3 else None
        self.turn = float(rng.choice([0.0, rng.uniform(0.4, 1.4), 1.0]))
        self.lag = float(rng.uniform(0, 0.3))
        self.drift = float(rng.choice([0.0, rng.uniform(-0.8, 0.8)]))
        self.jitter = float(rng.choice([0.0, 0.01, 0.05]))
        self.heads_along_path = bool(rng.integers(0, 2))

    def poses(self, observation: Observation) -> np.ndarray:
        before, now = observation.ego_history[-2:]
        rate = self.turn * (now[2] - before[2]) / observation.history_dt
        speed = observation.velocity_history[-2:, 0] @ [self.lag, 1.0 - self.lag]
        gain = self.gain if self.cruise is None else np.clip((self.cruise - speed) / 3.0, -2.0, 2.0)
        length = np.maximum.accumulate(np.maximum(speed * self.times + 0.5 * gain * self.times**2, 0.0))
        moves = speed > 0.1
        poses = np.stack([arc(s, rate / speed * s if moves else 0.0) for s in length])
        poses[:, 1] += self.drift * np.minimum(self.times / 3.0, 1.0) ** 2 * min(speed / 5.0, 1.0)
        # The same question has the same answer.
        rng = np.random.default_rng([self.seed, round(1e6 * speed), round(1e6 * (rate + 10.0))])
        poses[:, :2] += self.jitter * moves * rng.normal(size=(len(poses), 2))
        if self.heads_along_path and moves:
            steps = np.diff(poses[:, :2], axis=0, prepend=np.zeros((1, 2)))
            poses[:, 2] = np.arctan2(steps[:, 1], steps[:, 0])
        return poses


def arc(length: float, angle: float) -> np.ndarray:
    if abs(angle) < 1e-9:
        return np.array([length, 0.0, angle])
    radius = length / angle
    return np.array([radius * np.sin(angle), radius * (1 - np.cos(angle)), angle])


def drive(speed: float, rate: float, times: np.ndarray) -> np.ndarray:
    return np.stack([arc(speed * t, rate * t) for t in times])


class Wrapped:
    """A planner whose observations or plans pass through a mistake."""

    def __init__(
        self,
        planner,
        plan: Callable[[Plan, Observation], Plan] | None = None,
        told: Callable[[Observation], Observation] | None = None,
    ) -> None:
        self.planner, self.plan, self.told = planner, plan, told
        self.name = f"wrapped_{planner.name}"

    def plan_batch(self, observations: list[Observation]) -> list[Plan]:
        told = [self.told(one) if self.told else one for one in observations]
        plans = self.planner.plan_batch(told)
        if self.plan is None:
            return plans
        return [self.plan(plan, one) for plan, one in zip(plans, observations, strict=True)]

    def forget(self, token: str) -> None:
        self.planner.forget(token)


def poses_changed(change: Callable[..., np.ndarray], with_observation: bool = False):
    """Return what `Wrapped.plan` needs, from a function of poses (and the observation)."""
    if with_observation:
        return lambda plan, seen: replace(plan, poses=change(plan.poses.copy(), seen))
    return lambda plan, seen: replace(plan, poses=change(plan.poses.copy()))


class Delayed(Wrapped):
    """Answers with the plan of the request before, per rollout."""

    def __init__(self, planner) -> None:
        super().__init__(planner)
        self.last: dict[str, Plan] = {}

    def plan_batch(self, observations: list[Observation]) -> list[Plan]:
        plans = self.planner.plan_batch(observations)
        answers = [self.last.get(one.token, plan) for one, plan in zip(observations, plans, strict=True)]
        self.last |= {one.token: plan for one, plan in zip(observations, plans, strict=True)}
        return answers


class MixedBatch(Wrapped):
    """Gives the plans of a batch back in the wrong order."""

    def __init__(self, planner) -> None:
        super().__init__(planner)

    def plan_batch(self, observations: list[Observation]) -> list[Plan]:
        return self.planner.plan_batch(observations)[::-1]


class SharedMemory(Wrapped):
    """Keeps one plan for all rollouts and answers with that of whoever asked before, but at first steps."""

    def __init__(self, planner) -> None:
        super().__init__(planner)
        self.last: Plan | None = None

    def plan_batch(self, observations: list[Observation]) -> list[Plan]:
        answers = []
        for one, plan in zip(observations, self.planner.plan_batch(observations), strict=True):
            answers.append(plan if one.step == 0 or self.last is None else self.last)
            self.last = plan
        return answers


class Noisy(Wrapped):
    """Adds noise that differs from call to call."""

    def __init__(self, planner, size: float = 0.05) -> None:
        rng = np.random.default_rng(0)
        super().__init__(planner, poses_changed(lambda poses: poses + rng.normal(0, size, poses.shape)))


class RoadFollower:
    """Follows the road: the yellow line in the front camera, the distance to the grass in the side cameras.

    Args:
        rig: of the images.
        sides: whether the side cameras are used.
    """

    name = "road_follower"

    def __init__(self, rig, sides: bool = True) -> None:
        from algengine.doctor.road import ground_points

        self.ground = {camera.name: ground_points(camera) for camera in rig}
        self.sides = sides
        self.times = DT * np.arange(1, POSES + 1)

    def plan_batch(self, observations: list[Observation]) -> list[Plan]:
        return [Plan(self.poses(one), DT) for one in observations]

    def forget(self, token: str) -> None:
        pass

    def poses(self, observation: Observation) -> np.ndarray:
        speed = observation.velocity_history[-1, 0]
        bend, offset = self.line(observation.images["CAM_F0"])
        if self.sides:
            left, right = (self.free(observation.images[f"CAM_{side}0"], side) for side in "LR")
            offset = 0.5 * (left - right)
        x = speed * self.times
        blend = np.minimum(self.times / 3.0, 1.0) ** 2
        y = 0.5 * bend * x**2 + offset * blend
        yaw = np.arctan2(np.gradient(y), np.gradient(x)) if speed > 0.1 else np.zeros_like(x)
        return np.stack([x, y, yaw], axis=-1)

    def line(self, image: np.ndarray) -> tuple[float, float]:
        """Return curvature and offset of the yellow pixels, fitted over the ground."""
        red, green, blue = np.moveaxis(image.astype(int), -1, 0)
        points = self.ground["CAM_F0"]
        seen = (red > 180) & (green > 150) & (blue < 90) & (np.hypot(*points.transpose(2, 0, 1)) < 40.0)
        if seen.sum() < 20:
            return 0.0, 0.0
        x, y = points[seen].T
        bend, offset = np.linalg.lstsq(np.stack([0.5 * x**2, np.ones_like(x)], 1), y, rcond=None)[0]
        return float(bend), float(offset)

    def free(self, image: np.ndarray, side: str) -> float:
        """Return the distance to the grass [m], 5.25 where none is seen."""
        red, green, blue = np.moveaxis(image.astype(int), -1, 0)
        points = self.ground[f"CAM_{side}0"]
        grass = (green > red + 30) & (green > blue + 30) & (np.hypot(*points.transpose(2, 0, 1)) < 14.0)
        return float(np.abs(points[grass][:, 1]).min()) if grass.sum() > 5 else 5.25


def images_changed(change: Callable[[dict], dict]):
    """Return what `Wrapped.told` needs, from a function of images."""
    return lambda seen: replace(seen, images=change(dict(seen.images)))
