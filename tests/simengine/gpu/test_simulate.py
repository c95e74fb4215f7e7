"""Simulation on tensors against the compiled loops; run as a script it prints timings."""

import time

import numpy as np
import pytest

from simengine.datatypes.ego import StateIndex
from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics import reference
from simengine.dynamics import simulate as cpu
from simengine.dynamics import vocabulary as cpu_vocabulary
from simengine.dynamics.rules import CORRECTED, NAVSIM_V1
from simengine.errors import PlanError
from tracker_factories import KINDS, make_paths, make_state

torch = pytest.importorskip("torch")
gpu = pytest.importorskip("simengine.gpu.simulate")

VEHICLE = VehicleParams(wheel_base=2.9)


def device_or_skip(name):
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return torch.device(name)


DEVICES = [pytest.param("cpu"), pytest.param("cuda", marks=pytest.mark.gpu)]
TOLERANCE = {"cpu": 1e-9, "cuda": 1e-6}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("rules", [NAVSIM_V1, CORRECTED], ids=["navsim_v1", "corrected"])
@pytest.mark.parametrize("kind", KINDS)
def test_states_are_those_of_the_compiled_loops(kind, rules, device):
    paths, state = make_paths(kind, 40), make_state()
    state[StateIndex.STEERING_ANGLE] = 0.0
    poses = torch.as_tensor(paths, device=device_or_skip(device))
    states = gpu.simulate(state, poses, VEHICLE, 0.1, rules=rules)
    assert states.device == poses.device and states.dtype == torch.float64 and states.is_contiguous()
    expected = cpu.simulate(state, paths, VEHICLE, 0.1, rules=rules)
    np.testing.assert_allclose(states.cpu(), expected, atol=TOLERANCE[device])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
def test_profiles_are_those_of_the_compiled_loops(kind, device):
    paths = make_paths(kind, 16)
    profile = gpu.reference_profile(torch.as_tensor(paths, device=device_or_skip(device)), 0.1)
    expected = reference.reference_profile(paths, 0.1)
    np.testing.assert_allclose(profile.speeds.T.cpu(), expected.speeds, atol=1e-11)
    np.testing.assert_allclose(profile.curvatures.T.cpu(), expected.curvatures, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("steps", [0, 1, 7])
def test_a_stretch_a_frame_and_a_given_profile(steps, device):
    paths, state, frame = make_paths("sharp", 5), make_state(), np.array([3e5, 4e6, 2.5])
    state[:3] = frame
    poses = torch.as_tensor(paths, device=device_or_skip(device))
    profile = gpu.reference_profile(poses, 0.1)
    states = gpu.simulate(state, poses, VEHICLE, 0.1, steps, frame=frame, profile=profile)
    expected = cpu.simulate(state, paths, VEHICLE, 0.1, steps, frame=frame)
    np.testing.assert_allclose(states.cpu(), expected, atol=10.0 * TOLERANCE[device])


@pytest.mark.parametrize("device", DEVICES)
def test_a_vocabulary_forgets_the_state_before(device):
    plans = make_paths("ordinary", 300)[:, 1:]
    vocabulary = gpu.VocabularySimulator(torch.as_tensor(plans, device=device_or_skip(device)), 0.1, VEHICLE)
    twin = cpu_vocabulary.VocabularySimulator(plans, 0.1, VEHICLE)
    starts = [make_state(speed, pose) for speed, pose in ((6.0, (0.0, 0.0, 0.0)), (0.1, (50.0, 7.0, 3.0)))]
    results = [vocabulary.simulate(state) for state in (*starts, starts[0])]
    for state, states in zip((*starts, starts[0]), results, strict=True):
        np.testing.assert_allclose(states.cpu(), twin.simulate(state), atol=TOLERANCE[device])
    assert torch.equal(results[0], results[2])


def test_a_step_is_one_graph_for_the_compiler():
    # What CUDA runs compiled must be traceable as a whole; fullgraph=True raises where it is not.
    traced = torch.compile(gpu._step, fullgraph=True, backend="eager")
    for count in (5, 3):
        car = gpu.read_car(torch.as_tensor(make_state())[:, None].repeat(1, count))
        numbers = torch.rand(6 + gpu.HORIZON, count, dtype=torch.float64, generator=torch.manual_seed(count))
        given = (
            car,
            numbers[:3].unbind(),
            numbers[3],
            numbers[6:],
            *torch.tensor([2.9, 0.1], dtype=torch.float64),
        )
        for compiled, eager in zip(traced(*given), gpu._step(*given), strict=True):
            torch.testing.assert_close(compiled, eager, rtol=0.0, atol=0.0)


@pytest.mark.gpu
def test_numbers_of_plans_on_the_gpu():
    device, paths, state = device_or_skip("cuda"), make_paths("ordinary", 2000), make_state()
    whole = gpu.simulate(state, torch.as_tensor(paths, device=device), VEHICLE, 0.1)
    for count in (1, 2, 17, 256):
        part = gpu.simulate(state, torch.as_tensor(paths[:count], device=device), VEHICLE, 0.1)
        torch.testing.assert_close(part, whole[:count], rtol=0.0, atol=1e-9)


def test_a_profile_of_other_poses_is_refused():
    poses = torch.zeros(2, 41, 3)
    profile = gpu.reference_profile(poses[:, :40], 0.1)
    with pytest.raises(PlanError, match="reference_profile from the same poses"):
        gpu.simulate(make_state(), poses, VEHICLE, 0.1, profile=profile)


def main():
    """Print how long 8,192 plans of 40 steps take on the GPU, and how far they are from the processor's."""
    device = device_or_skip("cuda")
    plans = np.concatenate([make_paths(kind, 1366) for kind in KINDS])[:8192, 1:]
    state, tensor = make_state(), torch.as_tensor(plans, device=device)
    poses = torch.nn.functional.pad(tensor, (0, 0, 1, 0))
    start = time.perf_counter()
    vocabulary = gpu.VocabularySimulator(tensor, 0.1, VEHICLE)
    states = vocabulary.simulate(state)
    torch.cuda.synchronize()
    print(f"{torch.cuda.get_device_name()}: first call {time.perf_counter() - start:.1f} s")
    expected = cpu_vocabulary.VocabularySimulator(plans, 0.1, VEHICLE).simulate(state)
    print(f"largest difference to the processor {np.abs(states.cpu().numpy() - expected).max():.1e}")
    for name, call in (
        ("vocabulary, graph", lambda: vocabulary.simulate(state)),
        ("vocabulary, no graph", lambda: vocabulary._simulate(torch.as_tensor(state, device=device))),
        ("profile", lambda: gpu.reference_profile(poses, 0.1)),
        ("other plans, profile included", lambda: gpu.simulate(state, poses, VEHICLE, 0.1)),
    ):
        durations = []
        for _ in range(23):
            torch.cuda.synchronize()
            start = time.perf_counter()
            call()
            torch.cuda.synchronize()
            durations.append(time.perf_counter() - start)
        print(
            f"{name}: median {1e3 * np.median(durations[3:]):.2f} ms, fastest {1e3 * min(durations):.2f} ms"
        )


if __name__ == "__main__":
    main()
