import pickle
from pathlib import Path

import numpy as np
import pytest

from nuplan_factories import town, write_map
from nuplan_log_factories import (
    NAME,
    drive,
    metadata,
    sweep_token,
    token,
    write_asset,
    write_db,
    write_filter,
)
from simengine.errors import ConfigError, ScenarioFormatError
from simengine.scenario.nuplan.assets import read_assets
from simengine.scenario.nuplan.cut import cut_around
from simengine.scenario.nuplan.log import Sweeps
from simengine.scenario.nuplan.openscene import find_metadata, read_metadata
from simengine.scenario.nuplan.options import NuplanOptions, find_logs, find_map, is_nuplan
from simengine.scenario.nuplan.selection import select

OTHER = "2021.06.01.00.00.00_veh-26_00000_00100"


def shifted(rows: dict) -> dict:
    """Return a log whose sweeps have other tokens."""
    for table in rows.values():
        for row in table:
            for key in ("token", "lidar_pc_token"):
                if isinstance(row.get(key), bytes) and row[key][0] == token("lidar_pc", 0)[0]:
                    row[key] = b"\x77" + row[key][1:]
    return rows


@pytest.fixture
def logs(tmp_path) -> Path:
    """Two logs, the second without a route in its second scene."""
    write_db(tmp_path / "dbs" / "mini" / f"{NAME}.db", drive(300))
    rows = shifted(drive(300, name=OTHER))
    rows["scene"][1]["roadblock_ids"] = ""
    write_db(tmp_path / "dbs" / "mini" / f"{OTHER}.db", rows)
    return tmp_path / "dbs"


def other_token(number: int) -> str:
    return "77" + sweep_token(number)[2:]


def selected(logs, *filters, **options) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    found = select(NuplanOptions(logs, Path("maps"), filters=filters, **options))
    return [(job.log.stem, job.token) for job in found.jobs], found.skipped


def test_the_union_of_filters_in_order_of_log_and_time(logs, tmp_path):
    one = write_filter(tmp_path / "1.yaml", tokens=[sweep_token(100), other_token(30)], has_route=True)
    two = write_filter(tmp_path / "2.yaml", tokens=[sweep_token(50), sweep_token(100)], log_names=[NAME])
    jobs, skipped = selected(logs, one, two)
    assert jobs == [(NAME, sweep_token(50)), (NAME, sweep_token(100)), (OTHER, other_token(30))]
    assert skipped == []


def test_unknown_tokens_and_logs_are_reported_and_the_rest_is_done(logs, tmp_path):
    rule = write_filter(
        tmp_path / "f.yaml",
        tokens=[sweep_token(50), *(f"{k:016x}" for k in range(5))],
        log_names=[NAME, "2020.01.01.00.00.00_veh-1_0_1"],
    )
    jobs, skipped = selected(logs, rule)
    assert jobs == [(NAME, sweep_token(50))]
    assert [name for name, _ in skipped] == [str(rule)] * 2
    assert "1 of 2 logs are not there, such as 2020.01.01.00.00.00_veh-1_0_1" in skipped[0][1]
    assert "5 of 6 tokens are in none of 1 logs, such as 0000000000000000" in skipped[1][1]


def test_only_unknown_tokens_are_an_error(logs, tmp_path):
    rule = write_filter(tmp_path / "f.yaml", tokens=["feedfeedfeedfeed"])
    with pytest.raises(
        ScenarioFormatError, match="nothing to convert in 2 logs: 1 of 1 tokens are in none of 2 logs"
    ):
        selected(logs, rule)


def test_scenes_without_a_route_are_left_out_if_the_filter_wants_one(logs, tmp_path):
    tokens = [other_token(190), other_token(210)]
    jobs, skipped = selected(logs, write_filter(tmp_path / "f.yaml", tokens=tokens, has_route=True))
    assert jobs == [(OTHER, other_token(190))]
    assert (
        len(skipped) == 1
        and f"1 scenes have no route, and the filter wants one, such as {tokens[1]}" in skipped[0][1]
    )
    jobs, skipped = selected(logs, write_filter(tmp_path / "f.yaml", tokens=tokens, has_route=False))
    assert [name for _, name in jobs] == tokens and skipped == []


def test_filters_without_tokens_cut_logs_as_navsim_does(logs, tmp_path):
    rule = write_filter(
        tmp_path / "f.yaml", tokens=None, num_future_frames=10, frame_interval=5, log_names=[NAME]
    )
    # Frames every tenth sweep; scenes of 14 frames start at frames 0, 5, 10, 15 of 30; the present is the fourth.
    assert [name for _, name in selected(logs, rule)[0]] == [sweep_token(10 * k) for k in (3, 8, 13, 18 + 0)]
    limited = write_filter(tmp_path / "g.yaml", tokens=None, frame_interval=5, max_scenes=2, log_names=[NAME])
    assert [name for _, name in selected(logs, limited)[0]] == [sweep_token(30), sweep_token(80)]


def test_openscene_metadata_says_which_sweeps_are_frames(logs, tmp_path):
    folder = tmp_path / "openscene" / "meta_datas" / "mini"
    folder.mkdir(parents=True)
    (folder / f"{NAME}.pkl").write_bytes(pickle.dumps(metadata(drive(300), first=7)))
    rule = write_filter(tmp_path / "f.yaml", tokens=None, frame_interval=None, log_names=[NAME])
    jobs, _ = selected(logs, rule, openscene_root=tmp_path / "openscene")
    assert [name for _, name in jobs] == [sweep_token(37), sweep_token(177)]


def test_without_filters_every_log_is_cut_in_a_row(logs):
    jobs, skipped = selected(logs)
    assert [name for _, name in jobs] == [
        *(sweep_token(k) for k in (30, 170)),
        *(other_token(k) for k in (30, 170)),
    ]
    assert skipped == []


def test_assets_restrict_what_is_converted(logs, tmp_path):
    root = tmp_path / "assets"
    write_asset(root, "place_one", [sweep_token(50), sweep_token(60)])
    write_asset(root, "place_two", [sweep_token(90)], tag="FrmaeCentralConfig")
    write_asset(root, "elsewhere", ["0123456789abcdef"], log_name="no_such_log")
    (root / "configs" / "road.yaml").write_text("!!python/object:x.RoadBlockConfig\nroad_block_name: r\n")
    rule = write_filter(tmp_path / "f.yaml", tokens=[sweep_token(50), sweep_token(90), sweep_token(120)])
    found = select(NuplanOptions(logs, Path("maps"), filters=(rule,), asset_root=root))
    assert [(job.token, job.asset.id) for job in found.jobs] == [
        (sweep_token(50), "place_one"),
        (sweep_token(90), "place_two"),
    ]
    assert (
        len(found.skipped) == 1
        and "lacks road_block_name, central_log or central_tokens" in found.skipped[0][1]
    )
    everything = select(NuplanOptions(logs, Path("maps"), asset_root=root))
    assert [job.token for job in everything.jobs] == [sweep_token(k) for k in (50, 60, 90)]
    assert any("no_such_log" in reason for _, reason in everything.skipped)


def test_the_video_of_an_asset_is_that_of_its_log(tmp_path):
    write_asset(tmp_path, "place", [sweep_token(50)])
    (asset,), _ = read_assets(tmp_path)
    np.testing.assert_array_equal(asset.video()["frame_infos"][1]["ego2global"], 2 * np.eye(4))
    (asset.folder / "video_scene_dict.pkl").write_bytes(pickle.dumps({"v": {"log_name": NAME}}))
    with pytest.raises(ScenarioFormatError, match="holds no videos"):
        asset.video()
    with pytest.raises(ScenarioFormatError, match="has no configs"):
        read_assets(tmp_path / "nothing")


def test_an_asset_cannot_leave_its_folder(tmp_path):
    config = write_asset(tmp_path, "place", [sweep_token(50)])
    config.write_text(config.read_text().replace("road_block_name: place", "road_block_name: ../../etc"))
    assets, skipped = read_assets(tmp_path)
    assert assets == [] and "expected a plain name" in skipped[0][1]


def test_a_broken_log_among_good_ones(logs, tmp_path):
    (logs / "mini" / "broken.db").write_bytes(b"junk" * 1000)
    write_db(logs / "mini" / "empty.db", drive(60) | {"lidar_pc": []})
    jobs, skipped = selected(logs, write_filter(tmp_path / "f.yaml", tokens=[sweep_token(50)]))
    assert jobs == [(NAME, sweep_token(50))]
    assert [Path(name).name for name, _ in skipped] == ["broken.db", "empty.db"]
    assert "not a database" in skipped[0][1] and "no lidar sweeps" in skipped[1][1]


def test_a_token_that_two_logs_claim_is_taken_once(logs, tmp_path):
    write_db(logs / "mini" / "z_copy.db", drive(300, name="z_copy"))
    jobs, skipped = selected(logs, write_filter(tmp_path / "f.yaml", tokens=[sweep_token(50)]))
    assert jobs == [(NAME, sweep_token(50))]
    assert len(skipped) == 1 and "expected unique tokens" in skipped[0][1]


def test_where_files_are_found(logs, tmp_path):
    write_db(logs / "trainval" / f"{NAME}.db", drive(10))
    assert [path.parent.name for path in find_logs(logs)] == ["mini", "mini"]
    assert find_logs(logs / "mini" / f"{NAME}.db") == [logs / "mini" / f"{NAME}.db"]
    assert is_nuplan(logs) and not is_nuplan(tmp_path / "none")
    (logs / "index.json").touch()
    assert not is_nuplan(logs)  # A native split, whatever else lies in it.
    with pytest.raises(ScenarioFormatError, match=r"no logs found, expected nuPlan \.db files"):
        find_logs(tmp_path / "none")
    found = write_map(tmp_path / "maps", town())
    assert find_map(tmp_path / "maps", "nuplan-maps-v1.0", found.parents[1].name) == found
    (tmp_path / "maps" / "nuplan-maps-v1.0.json").unlink()
    assert find_map(tmp_path / "maps", "nuplan-maps-v1.0", found.parents[1].name) == found
    for place, words in (("us-ma-boston", "0 maps of 'us-ma-boston'"), ("", "0 maps of ''")):
        with pytest.raises(ScenarioFormatError, match=words):
            find_map(tmp_path / "maps", "nuplan-maps-v1.0", place)
    (tmp_path / "maps" / "nuplan-maps-v1.0.json").write_text('{"us-ma-boston": {"version": "9.12.1817"}}')
    with pytest.raises(ScenarioFormatError, match=r"9\.12\.1817/map\.gpkg: no such map"):
        find_map(tmp_path / "maps", "nuplan-maps-v1.0", "us-ma-boston")
    (tmp_path / "maps" / "nuplan-maps-v1.0.json").write_text("{")
    with pytest.raises(ScenarioFormatError, match="cannot be read"):
        find_map(tmp_path / "maps", "nuplan-maps-v1.0", "us-ma-boston")


def test_metadata_is_looked_for_in_every_split(tmp_path):
    assert find_metadata(tmp_path, "log") is None
    for folder in ("", "meta_datas", "meta_datas/private_test", "meta_datas/test", "meta_datas/trainval"):
        path = tmp_path / folder / "log.pkl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps({"infos": [{"token": folder}]}))
        assert find_metadata(tmp_path, "log") == path
        assert list(read_metadata(path)) == [folder]
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(ScenarioFormatError, match="holds no frames"):
        read_metadata(path)


def cut(count: int, at: int, gaps=(), **options):
    times = 1_000_000 + 50_000 * np.arange(count)
    for gap in gaps:
        times[gap:] += 200_000
    sweeps = Sweeps(tuple(f"{k:016x}" for k in range(count)), times, ("",) * count, ("",) * count)
    found = cut_around(sweeps, f"{at:016x}", NuplanOptions(Path("l"), Path("m"), **options))
    return [int(token, 16) for token in found.tokens], found


def test_the_usual_cut_is_that_of_the_published_converter():
    places, found = cut(1000, 400)
    assert places == list(range(370, 601, 10))
    assert (len(places), found.initial_frame, found.dt) == (24, 3, 0.5)
    places, found = cut(1000, 400, sample_interval=2)
    assert places == list(range(370, 601, 2))
    assert (found.initial_frame, found.dt) == (15, 0.1)


def test_near_the_ends_of_a_log_the_token_stays_a_frame():
    # The published converter clips to sweep 0 and misses the token from there.
    places, found = cut(1000, 17)
    assert places[:3] == [7, 17, 27] and found.initial_frame == 1
    places, found = cut(1000, 3)
    assert places[0] == 3 and found.initial_frame == 0
    places, found = cut(500, 410)
    assert places[-1] == 490 and len(places) == 12


def test_a_cut_ends_at_missing_sweeps():
    places, found = cut(1000, 400, gaps=(388, 555))
    assert places == list(range(390, 551, 10)) and found.initial_frame == 1
    with pytest.raises(ScenarioFormatError, match=r"3\.5 s of even log follow token 0000000000000190"):
        cut(1000, 400, gaps=(475,))


def test_too_little_log():
    with pytest.raises(ScenarioFormatError, match=r"3\.5 s of even log follow"):
        cut(500, 420)
    with pytest.raises(ScenarioFormatError, match="is no sweep of the log"):
        cut(500, 500)


@pytest.mark.parametrize(
    "changes",
    [
        {"sample_interval": 0},
        {"sample_interval": 11},
        {"future": 3.9},
        {"history": -1.0},
        {"map_margin": -1.0},
    ],
)
def test_options_out_of_range(changes):
    with pytest.raises(ConfigError, match="expected"):
        NuplanOptions(Path("l"), Path("m"), **changes)


def test_folders_that_are_asked_for_must_be_there(tmp_path):
    for name in ("asset_root", "openscene_root"):
        with pytest.raises(ConfigError, match=f"{name} is .*expected a folder"):
            NuplanOptions(Path("l"), Path("m"), **{name: tmp_path / "none"})
