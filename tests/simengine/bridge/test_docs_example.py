"""The planner in the documentation works as printed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from bridge_factories import make_observation, serving
from simengine.bridge.client import PlannerClient
from simengine.bridge.planner import Planner


def test_the_example_planner(address: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "bridge.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict = {}
    exec(code, names)
    planner = names["ConstantSpeed"]()
    assert isinstance(planner, Planner)
    observation = make_observation(velocity_history=np.array([[9.0, 0.0], [5.0, 0.0]]))
    with serving(planner, address), PlannerClient(address) as client:
        plan = client.plan(observation)
    np.testing.assert_allclose(plan.poses[[0, -1]], [[0.5, 0, 0], [20.0, 0, 0]])  # 5 m/s for 0.1 s and 4 s
