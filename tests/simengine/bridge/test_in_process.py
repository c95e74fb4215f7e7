"""The planner in the same process: untouched observations, the same errors."""

from __future__ import annotations

import pytest

from bridge_factories import MemoryPlanner, make_observation, plan_for, plans_equal
from simengine.bridge.batch import PlannerFault, plan_each
from simengine.bridge.in_process import InProcessClient, make_planner
from simengine.bridge.planner import Planner
from simengine.datatypes.observation import Observation
from simengine.errors import ConfigError, RemotePlannerError


class Keeper(MemoryPlanner):
    def plan_batch(self, observations: list[Observation]) -> list:
        self.kept = observations
        return super().plan_batch(observations)


def test_no_copies() -> None:
    planner, observation = Keeper(), make_observation()
    with InProcessClient(planner) as client:
        client.wait_until_ready()
        assert plans_equal(client.plan(observation), plan_for(observation, 1))
        assert planner.kept[0] is observation
        client.finish("token")
    assert planner.forgotten == ["token"]
    assert client.planner_name == "memory"
    assert isinstance(planner, Planner)


def test_a_planner_error_has_its_cause() -> None:
    with pytest.raises(RemotePlannerError, match="bad step 2: ValueError: cannot plan for bad") as caught:
        InProcessClient(MemoryPlanner()).plan(make_observation("bad", 2))
    assert isinstance(caught.value.__cause__, ValueError)


def test_one_bad_observation_does_not_spoil_its_batch() -> None:
    observations = [make_observation(token) for token in ("a", "bad", "b")]
    first, second, third = plan_each(MemoryPlanner(), observations)
    assert isinstance(second, PlannerFault)
    assert plans_equal(first, plan_for(observations[0], 1))
    assert plans_equal(third, plan_for(observations[2], 1))


@pytest.mark.parametrize("answer", [None, [], [1], "plan"])
def test_answers_that_are_no_plans(answer: object) -> None:
    class Broken(MemoryPlanner):
        def plan_batch(self, observations: list[Observation]) -> list:
            return answer

        def forget(self, token: str) -> None:
            raise OSError("disk")

    client = InProcessClient(Broken())
    with pytest.raises(RemotePlannerError, match="fix the planner"):
        client.plan(make_observation())
    client.finish("token")  # logged only


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("nowhere:make", {}, "cannot be imported"),
        ("json", {}, "cannot be imported"),
        ("json:loads", {}, "expected a function without arguments"),
        ("os:getcwd", {"model_name": "mine"}, "expected a function of model_name"),
        ("os:getcwd", {}, "makes a str, expected a planner"),
    ],
)
def test_what_makes_no_planner_is_one_sentence(name: str, arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^option is {name!r}.*{message}"):
        make_planner("option", name, **arguments)


def test_a_function_makes_the_planner_of_a_name() -> None:
    assert make_planner("option", "bridge_factories:MemoryPlanner").name == "memory"
