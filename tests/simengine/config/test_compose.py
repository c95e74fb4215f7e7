"""Presets and overrides: everything composes, and every mistake is one clear sentence."""

import pytest

from simengine.agents.traffic import IdmTraffic, LogReplay, PdmClosedTraffic
from simengine.config.build import check, output_dir
from simengine.config.compose import compose_run, presets, to_yaml
from simengine.config.protocols import traffic_model
from simengine.errors import ConfigError


@pytest.mark.parametrize("preset", presets())
def test_every_preset_composes_and_is_valid(preset):
    config = compose_run([], preset)
    check(config)
    assert f"split: {config.split}" in to_yaml(config)


def test_overrides_reach_nested_keys():
    config = compose_run(["traffic=R", "protocol.horizon=2.0", "render.width_px=160", "num_scenarios=3"])
    assert (config.traffic, config.protocol.horizon, config.render.width_px, config.num_scenarios) == (
        "R",
        2.0,
        160,
        3,
    )
    assert str(output_dir(config)) == "experiments/closed_loop_exps/vadv2_demo/demo_R"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("colour=red", "colour"),
        ("render.shininess=3", "shininess"),
        ("num_scenarios=many", "many"),
        ("=", "compose"),
    ],
)
def test_unknown_keys_and_wrong_types_are_refused(override, words):
    with pytest.raises(ConfigError, match=words) as caught:
        compose_run([override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "override",
    [
        "ego=ghost",
        "traffic=sometimes",
        "worker=slurm",
        "render.backend=crayon",
        "num_scenarios=0",
        "render.backend=none",
        "protocol.horizon=4.1",
        "metric=vibes",
        "traffic_agents=horses",
    ],
)
def test_values_outside_their_choices_are_refused(override):
    with pytest.raises(ConfigError, match="expected"):
        check(compose_run([override]))


def test_traffic_is_driven_by_whom_the_keys_say():
    assert traffic_model(compose_run([])) is LogReplay
    assert traffic_model(compose_run(["traffic=R"])) is IdmTraffic
    assert traffic_model(compose_run(["traffic=R", "traffic_agents=pdm_closed"])) is PdmClosedTraffic


def test_the_published_protocol_has_drivers_of_its_own():
    config = compose_run(["protocol.name=worldengine_v1", "traffic=R", "traffic_agents=pdm_closed"])
    with pytest.raises(ConfigError, match="use the protocol navsim"):
        check(config)


def test_unknown_preset():
    with pytest.raises(
        ConfigError, match="expected one of closed_loop, default_runner, record, replay, rollout"
    ):
        compose_run([], "nope")
