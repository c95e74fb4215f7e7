import numpy as np
import pytest

from scenario_factories import make_legacy
from simengine.datatypes.agents import AgentType
from simengine.datatypes.lights import LightState
from simengine.datatypes.map import AreaKind
from simengine.errors import ScenarioFormatError
from simengine.scenario.legacy import LegacyId, asset_id, is_legacy, scenario_from_legacy
from simengine.scenario.resample import resample

LOG = "2021.05.12.22.00.38_veh-35_01008_01518"
TOKEN = "bb4f37403cea5b0e"
ORIGIN = (664432.0, 3997660.0)


def test_ids_of_recorded_and_generated_scenarios():
    assert LegacyId.parse(f"{LOG}-{TOKEN}") == LegacyId(LOG, TOKEN, "000")
    assert LegacyId.parse(f"{LOG}-{TOKEN}-001") == LegacyId(LOG, f"{TOKEN}-001", "001")


def test_the_asset_is_the_named_one_or_the_id_without_variant():
    assert asset_id(f"{LOG}-{TOKEN}-001", {}) == f"{LOG}-{TOKEN}"
    assert asset_id(f"{LOG}-{TOKEN}", {}) == f"{LOG}-{TOKEN}"
    assert asset_id("x", {"digitaltwin_asset_id": "road_block-abc-002"}) == "road_block-abc"


def test_a_record_becomes_a_scenario_at_its_rate():
    scenario = scenario_from_legacy(f"{LOG}-{TOKEN}-001", make_legacy())
    assert (scenario.token, scenario.log_name, scenario.dt) == (f"{TOKEN}-001", LOG, 0.5)
    assert (scenario.num_frames, scenario.initial_frame) == (24, 3)
    assert scenario.map_name == "us-nv-las-vegas-strip"
    assert scenario.timestamps_us[:2].tolist() == [1_620_857_000_000_000, 1_620_857_000_500_000]
    # The box centre starts at the origin; the rear axle lies 1.461 m behind it, heading +y.
    np.testing.assert_allclose(scenario.ego.pose[0], [0, -1.461, np.pi / 2], atol=1e-12)
    np.testing.assert_allclose(scenario.ego.velocity, np.tile([6.0, 0.0], (24, 1)), atol=1e-9)
    np.testing.assert_allclose(scenario.ego.acceleration, 0, atol=1e-9)
    np.testing.assert_allclose(scenario.global_from_world, ORIGIN)


def test_agents_keep_their_kind_size_and_validity():
    agents = scenario_from_legacy(f"{LOG}-{TOKEN}", make_legacy()).agents
    assert agents.ids == ("a" * 16, "b" * 16)
    assert agents.types.tolist() == [AgentType.VEHICLE, AgentType.BARRIER]
    np.testing.assert_allclose(agents.size[0], [4.6, 1.9, 1.6])
    assert agents.valid[0].tolist() == [True] * 19 + [False] * 5
    assert (agents.pose[0, -5:] == 0).all()


def test_map_lights_route_and_cameras():
    scenario = scenario_from_legacy(f"{LOG}-{TOKEN}", make_legacy())
    assert set(scenario.map.lanes) == {"10", "11", "20"}
    assert scenario.map.lanes["20"].is_connector and not scenario.map.lanes["10"].is_connector
    assert set(scenario.map.roadblocks) == {"100", "200"}
    assert scenario.map.lanes["10"].right == ("11",)
    assert len(scenario.map.areas_of(AreaKind.CROSSWALK)) == len(scenario.map.areas_of(AreaKind.WALKWAY)) == 1
    assert scenario.map.areas_of(AreaKind.DRIVABLE)
    assert scenario.route == ("100", "200")
    assert scenario.lights.state[0].tolist() == [LightState.RED] * 6 + [LightState.GREEN] * 18
    np.testing.assert_allclose(scenario.lights.stop_point, [[1, 30]])
    # This quaternion (wxyz) turns OpenCV axes into a camera that looks along +x of the ego.
    forward = scenario.cameras[0].ego_from_cam[:3, :3] @ [0, 0, 1]
    np.testing.assert_allclose(forward, [1, 0, 0], atol=1e-12)
    # 1.5 m above the rear axle, which is 0.38 m above the road.
    np.testing.assert_allclose(scenario.cameras[0].ego_from_cam[:3, 3], [1.7, 0.0, 1.88])
    assert (scenario.cameras[0].width_px, scenario.cameras[0].distortion[0]) == (1920, -0.356123)


@pytest.mark.parametrize("origin", [ORIGIN, (-4000.0, 4000.0)])
def test_data_far_from_the_origin_is_centred(origin):
    # In the second place x and y cancel, which a test on their sum would call centred.
    near = scenario_from_legacy("log-token", make_legacy(origin=origin, centred=True))
    far = scenario_from_legacy("log-token", make_legacy(origin=origin, centred=False))
    np.testing.assert_allclose(far.ego.pose, near.ego.pose, atol=2 + 1e-6)
    np.testing.assert_allclose(
        far.ego.pose[:, :2] + far.global_from_world, near.ego.pose[:, :2] + near.global_from_world, atol=1e-6
    )
    np.testing.assert_allclose(
        far.map.lanes["10"].centerline + far.global_from_world,
        near.map.lanes["10"].centerline + near.global_from_world,
        atol=1e-6,
    )
    assert np.hypot(*far.ego.pose[0, :2]) < 2


def test_it_resamples_to_the_simulation_rate():
    scenario = resample(scenario_from_legacy("log-token", make_legacy()), 0.1)
    assert (scenario.num_frames, scenario.initial_frame) == (116, 15)
    np.testing.assert_allclose(scenario.ego.pose[:, 1], -1.461 + 0.6 * np.arange(116), atol=1e-9)


def test_absent_asset_and_synthetic_scene_info_are_read():
    record = make_legacy()
    record["metadata"]["synthetic_scene_info"] = {"frames": [{"token": "s0"}, {"token": "s1"}]}
    scenario = scenario_from_legacy(f"{LOG}-{TOKEN}-001", record)
    assert scenario.asset_id == f"{LOG}-{TOKEN}"
    assert scenario.tags["frame_tokens"] == ["s0", "s1"]
    assert scenario.tags["variant"] == "001"


@pytest.mark.parametrize("value", [{}, [], {"a": {"no": 1}}, 5])
def test_other_values_are_told_apart(value):
    assert not is_legacy(value)
    assert is_legacy({"l-1": make_legacy()})


def test_a_defect_names_token_and_field():
    record = make_legacy()
    record["object_track"]["ego"]["state"]["position"][4] = np.nan
    with pytest.raises(ScenarioFormatError, match=r"token.*ego\.pose is not finite at index \(4"):
        scenario_from_legacy("log-token", record)
    del record["object_track"]["ego"]
    with pytest.raises(ScenarioFormatError, match=r"scenario token: .*ego"):
        scenario_from_legacy("log-token", record)
    with pytest.raises(ScenarioFormatError, match=r"4\.5 s long, expected at least 5\.5"):
        scenario_from_legacy("log-token", make_legacy(frames=10))
