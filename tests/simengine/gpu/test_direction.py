"""Metres driven the wrong way: the same sums as one sequence at a time."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from metrics_factories import random_drive  # noqa: E402
from simengine.datatypes.vehicle import VehicleParams  # noqa: E402
from simengine.gpu.direction import wrong_way_metres  # noqa: E402
from simengine.gpu.ego_geometry import ego_geometry  # noqa: E402
from simengine.metrics.pdm import direction  # noqa: E402
from simengine.metrics.pdm.ego_geometry import ego_geometry as cpu_ego_geometry  # noqa: E402
from simengine.metrics.pdm.parameters import NAVSIM_V1, WORLDENGINE_V1, PdmParameters  # noqa: E402


@pytest.mark.parametrize("share", [0.1, 0.8, 1.0])
@pytest.mark.parametrize("parameters", [NAVSIM_V1, WORLDENGINE_V1], ids=["window", "stretch"])
def test_metres(parameters: PdmParameters, share: float) -> None:
    rng = np.random.default_rng(0)
    states = np.stack([random_drive(rng) for _ in range(50)])
    oncoming = rng.random((50, 41)) < share
    ego = ego_geometry(torch.from_numpy(states).movedim(-1, 0).contiguous(), VehicleParams())
    found = wrong_way_metres(ego, torch.from_numpy(oncoming), 0.1, parameters)
    cpu_ego = cpu_ego_geometry(states, VehicleParams())
    expected = direction.wrong_way_metres(cpu_ego, oncoming, 0.1, parameters)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0.0, atol=1e-12)
    assert expected.max() > 1.0
