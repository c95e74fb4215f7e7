"""Proposal simulation on tensors: the formulas of `simengine.dynamics`, all cars at once.

The formulas are those that numba compiles for the processor, bound to torch's names. Tensors are float64 and
laid out time first, so that a moment of all cars is one stretch of memory. On a CUDA device one step is one
compiled kernel, and `VocabularySimulator` replays all steps as one CUDA graph; elsewhere torch runs them one
operation at a time. The variable TORCHDYNAMO_DISABLE=1 turns the compiler off, at the price of speed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from simengine.datatypes.ego import STATE_SIZE
from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics import bicycle, profiles, tracker
from simengine.dynamics import simulate as cpu
from simengine.dynamics.bind import bind
from simengine.dynamics.rules import NAVSIM_V1, TrackerRules
from simengine.dynamics.tracker import HORIZON

Car = tuple[Tensor, ...]

TORCH = {
    "cos": torch.cos,
    "sin": torch.sin,
    "tan": torch.tan,
    "arctan": torch.arctan,
    "floor": torch.floor,
    "where": torch.where,
    "clip": torch.clamp,
}
command = bind(tracker.command, TORCH)
advance = bind(bicycle.advance, TORCH)
read_car = bind(bicycle.read_car, TORCH)
write_car = bind(bicycle.write_car, TORCH)
initial_steering = bind(bicycle.initial_steering, TORCH)
fit_speeds = bind(profiles.fit_speeds, TORCH)
fit_curvatures = bind(profiles.fit_curvatures, TORCH)
to_world = bind(cpu.to_world, TORCH)


@dataclass(frozen=True)
class ReferenceProfile:
    """What the tracker wants to know of B planned paths; it does not depend on where the paths start.

    Attributes:
        speeds: (M, B) speed on each of the M intervals between poses [m/s].
        curvatures: (M + HORIZON - 1, B) curvature on each interval [1/m]; the last one is repeated.
    """

    speeds: Tensor
    curvatures: Tensor


@torch.no_grad()
def reference_profile(poses: Tensor, dt: float, rules: TrackerRules = NAVSIM_V1) -> ReferenceProfile:
    """Return speeds and curvatures of `poses` (B, M + 1, 3), see `simengine.dynamics.reference`."""
    return _fit(_time_first(poses), dt, rules)


@torch.no_grad()
def simulate(
    initial_state: Tensor | np.ndarray,
    poses: Tensor,
    vehicle: VehicleParams,
    dt: float,
    steps: int | None = None,
    *,
    frame: Tensor | np.ndarray | tuple[float, float, float] = cpu.WORLD,
    rules: TrackerRules = NAVSIM_V1,
    profile: ReferenceProfile | None = None,
) -> Tensor:
    """Return the states (B, steps + 1, 11) of a car that tracks `poses` (B, M + 1, 3), on their device.

    Arguments and errors are those of `simengine.dynamics.simulate.simulate`.
    """
    steps = poses.shape[1] - 1 if steps is None else steps
    cpu.check_plans(tuple(poses.shape), steps)
    moments = _time_first(poses)
    profile = _fit(moments, dt, rules) if profile is None else profile
    cpu.check_profile(tuple(poses.shape), tuple(profile.speeds.T.shape))
    model = _Model.on(poses.device, vehicle, dt, rules)
    state = torch.as_tensor(initial_state, dtype=torch.float64, device=poses.device)
    origin = torch.as_tensor(frame, dtype=torch.float64, device=poses.device)
    return _drive(state, moments, origin, profile, model, steps)


class VocabularySimulator:
    """Simulates the same plans again and again; their speeds and curvatures are fitted once.

    On a CUDA device the first call records all steps as a CUDA graph, and later ones replay it: one simulator
    serves one thread at a time. What it returns is the caller's own.
    """

    @torch.no_grad()
    def __init__(
        self,
        plans: Tensor,
        dt: float,
        vehicle: VehicleParams | None = None,
        rules: TrackerRules = NAVSIM_V1,
    ) -> None:
        """Fit the plans.

        Args:
            plans: (K, N, 3) poses x, y, yaw in the ego frame, `dt` apart, the first one `dt` from now.
            dt: [s].
            vehicle: dimensions, by default the Pacifica.
            rules: the published tracker or the corrected one.
        """
        poses = torch.nn.functional.pad(plans, (0, 0, 1, 0))
        cpu.check_plans(tuple(poses.shape), plans.shape[1])
        self._moments = _time_first(poses)
        self._profile = _fit(self._moments, dt, rules)
        self._model = _Model.on(plans.device, vehicle or VehicleParams(), dt, rules)
        self._recorded: Callable[..., Tensor] | None = None

    @torch.no_grad()
    def simulate(self, state: Tensor | np.ndarray) -> Tensor:
        """Return the states (K, N + 1, 11) of a car that starts at `state` (11,) and tracks each plan."""
        state = torch.as_tensor(state, dtype=torch.float64, device=self._moments.device)
        if state.device.type != "cuda":
            return self._simulate(state)
        if self._recorded is None:
            self._recorded = record(self._simulate, state)
        return self._recorded(state)

    def _simulate(self, state: Tensor) -> Tensor:
        steps = len(self._moments) - 1
        return _drive(state, self._moments, state[:3], self._profile, self._model, steps)


def record(function: Callable[..., Tensor], *examples: Tensor) -> Callable[..., Tensor]:
    """Return `function`, recorded as a CUDA graph for tensors like `examples` and replayed at each call.

    The function must do the same for every input: no reading of values, no copies from the host.
    """
    device, given = examples[0].device, [example.clone() for example in examples]
    # Whatever compiles or allocates for the first time must do so before the recording.
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        for _ in range(2):
            function(*given)
    torch.cuda.current_stream(device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(device), torch.cuda.graph(graph):
        result = function(*given)

    def replay(*values: Tensor) -> Tensor:
        for place, value in zip(given, values, strict=True):
            place.copy_(value)
        graph.replay()
        return result.clone()

    return replay


@dataclass(frozen=True)
class _Model:
    """Numbers of vehicle and time step as tensors, so that other numbers need no other kernels."""

    wheel_base: Tensor
    dt: Tensor
    rules: TrackerRules

    @classmethod
    def on(cls, device: torch.device, vehicle: VehicleParams, dt: float, rules: TrackerRules) -> _Model:
        numbers = torch.tensor([vehicle.wheel_base, dt], dtype=torch.float64, device=device)
        return cls(*numbers.unbind(), rules)


def _time_first(poses: Tensor) -> Tensor:
    """Return poses (B, T, 3) as (T, 3, B)."""
    return poses.to(torch.float64).permute(1, 2, 0).contiguous()


def _fit(moments: Tensor, dt: float, rules: TrackerRules) -> ReferenceProfile:
    intervals, _, count = moments[1:].shape
    factor = torch.as_tensor(profiles.speed_factor(intervals, dt, rules.jerk_penalty), device=moments.device)
    speeds, pivots = moments.new_empty(intervals, count), moments.new_empty(intervals, count)
    curvatures = moments.new_empty(intervals + HORIZON - 1, count)
    fit_speeds(moments, factor, dt, speeds)
    fit_curvatures(moments, speeds, dt, pivots, curvatures)
    return ReferenceProfile(speeds, curvatures)


def _drive(
    state: Tensor, moments: Tensor, origin: Tensor, profile: ReferenceProfile, model: _Model, steps: int
) -> Tensor:
    count, final = moments.shape[2], len(profile.speeds) - 1
    car = read_car(state[:, None].repeat(1, count))
    if model.rules.steering_from_yaw_rate:
        car = initial_steering(car, model.wheel_base)
    x, y, yaw = to_world(origin.unbind(), moments[:, 0], moments[:, 1], moments[:, 2])
    step = _compiled_step() if moments.device.type == "cuda" else _step
    cars = []
    for t in range(steps):
        target_speed, window = profile.speeds[min(t + HORIZON, final)], profile.curvatures[t : t + HORIZON]
        car = step(car, (x[t], y[t], yaw[t]), target_speed, window, model.wheel_base, model.dt)
        cars.append(car)
    states = moments.new_empty(STATE_SIZE, steps + 1, count)
    states[:, 0] = state[:, None]
    if cars:
        write_car([torch.stack(component) for component in zip(*cars, strict=True)], states[:, 1:])
    return states.permute(2, 1, 0).contiguous()


def _step(
    car: Car, pose: Car, target_speed: Tensor, curvatures: Tensor, wheel_base: Tensor, dt: Tensor
) -> Car:
    acceleration, steering_rate = command(car, pose, target_speed, curvatures, 0, dt)
    return advance(car, acceleration, steering_rate, wheel_base, dt)


@cache
def _compiled_step() -> Callable[..., Car]:
    # Compiled for the first number of cars, and when a second one comes, once more for all numbers.
    return torch.compile(_step, fullgraph=True)
