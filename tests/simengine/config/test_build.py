"""Names in a configuration become objects: splits of any size, and the naive driver."""

from pathlib import Path

import numpy as np
import pytest

from factories import make_scenario, make_tracks
from gym_factories import write_scenarios
from simengine.config.build import build_worker, check, open_handles
from simengine.config.schema import RecordConfig, RenderConfig, RunConfig
from simengine.datatypes.vehicle import VehicleParams
from simengine.errors import ConfigError
from simengine.scenario.scenario import Scenario
from simengine.world.certificate import make_naive, try_driver
from simengine.world.splits import BUILTIN_SPLITS


@pytest.mark.parametrize("split", sorted(BUILTIN_SPLITS.keys() - {"demo"}))
def test_built_in_splits_go_on_beyond_their_default_size(split: str) -> None:
    size = BUILTIN_SPLITS[split].size
    assert len(open_handles(RunConfig(split=split))) == size
    handles = open_handles(RunConfig(split=split, num_scenarios=size + 7))
    assert [handle.token for handle in handles[-2:]] == [f"{split}_{size + 5:04d}", f"{split}_{size + 6:04d}"]
    assert handles[:3] == open_handles(RunConfig(split=split, num_scenarios=3))


def test_the_demo_split_has_no_more_than_it_has() -> None:
    assert len(open_handles(RunConfig(split="demo", num_scenarios=16))) == 16
    with pytest.raises(
        ConfigError, match="17 scenarios of built-in split demo are asked for, expected 1 to 16"
    ):
        open_handles(RunConfig(split="demo", num_scenarios=17))


def test_a_folder_gives_the_first_so_many(tmp_path: Path) -> None:
    keys = write_scenarios(tmp_path)
    assert len(open_handles(RunConfig(**keys, num_scenarios=5))) == 1


def wall_ahead() -> Scenario:
    """Return a road with a parked car 20 m ahead of the first decision."""
    pose = np.zeros((1, 66, 3))
    pose[..., 0] = 12.0 + VehicleParams().rear_axle_to_center + 20.0
    return make_scenario(agents=make_tracks(pose))


@pytest.mark.parametrize(("scenario", "success"), [(make_scenario(), True), (wall_ahead(), False)])
def test_the_naive_driver_of_certificates_can_be_run(
    scenario: Scenario, success: bool, tmp_path: Path
) -> None:
    config = RunConfig(
        **write_scenarios(tmp_path, scenario),
        output_dir=str(tmp_path / "run"),
        ego="lane_speed",
        render=RenderConfig(backend="none"),
        record=RecordConfig(cameras="none"),
    )
    check(config)
    row = build_worker(config).run(open_handles(config)[0])
    assert (row.status, row.success) == ("ok", success)
    assert try_driver(scenario, "NR", make_naive).success == success
