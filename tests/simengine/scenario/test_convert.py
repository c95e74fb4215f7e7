import numpy as np
import pytest

from factories import make_scenario
from scenario_factories import assert_identical, make_legacy, make_scene, random_scenario, write_pickle
from simengine.errors import ScenarioFormatError
from simengine.scenario.convert import convert
from simengine.scenario.scenario import Scenario
from simengine.scenario.splits import load_index, open_split, write_split


class _Touch:
    def __reduce__(self):
        import os

        return os.system, ("touch ran",)


def _tree(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_a_directory_with_good_and_bad_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    src = tmp_path / "src"
    write_pickle(src / "a" / "sd_good.pkl", make_scene())
    short = make_scene(frames=30) | {"id": "short"}
    short["metadata"]["scenario_id"] = "short"
    write_pickle(src / "a" / "sd_short.pkl", short)
    write_pickle(src / "sd_code.pkl", _Touch())
    write_pickle(src / "sd_list.pkl", [1])
    (src / "sd_cut.pkl").write_bytes((src / "a" / "sd_good.pkl").read_bytes()[:5000])
    write_pickle(src / "dataset_summary.pkl", {})
    write_pickle(src / "z" / "sd_again.pkl", make_scene())
    report = convert(src, tmp_path / "out", split="val", progress=False)
    assert (report.read, report.directory) == (1, tmp_path / "out" / "val")
    reasons = {name.rsplit("/", 1)[-1]: reason for name, reason in report.skipped}
    assert set(reasons) == {"sd_short.pkl", "sd_code.pkl", "sd_list.pkl", "sd_cut.pkl", "sd_again.pkl"}
    assert "2.9 s long" in reasons["sd_short.pkl"] and "short" in reasons["sd_short.pkl"]
    assert "system" in reasons["sd_code.pkl"]
    assert "leave it out" in reasons["sd_list.pkl"]
    assert "complete pickle" in reasons["sd_cut.pkl"]
    assert "unique" in reasons["sd_again.pkl"]
    assert [handle.load().token for handle in open_split(tmp_path / "out", "val")] == ["made_scene"]
    assert not (tmp_path / "ran").exists()


def test_an_original_file_with_one_bad_scenario(tmp_path):
    bad = make_legacy()
    bad["object_track"]["ego"]["state"]["heading"][2] = np.inf
    path = write_pickle(
        tmp_path / "all_scenarios.pkl", {"l-a": make_legacy(), "l-b": bad, "l-c": make_legacy()}
    )
    report = convert(path, tmp_path / "split", progress=False)
    assert report.read == 2
    (name, reason) = report.skipped[0]
    assert name.endswith("#l-b") and "ego.pose is not finite" in reason
    index = load_index(tmp_path / "split")
    assert [entry.token for entry in index.entries] == ["a", "c"]
    # Both lie on the same map.
    assert len(list((tmp_path / "split" / "maps").iterdir())) == 1
    index.verify()


def test_a_native_split_is_copied_bit_for_bit(tmp_path):
    scenarios = [random_scenario(seed) for seed in range(3)]
    write_split(scenarios, tmp_path / "a")
    convert(tmp_path / "a", tmp_path / "b", progress=False)
    for handle, scenario in zip(open_split(tmp_path, "b"), scenarios, strict=True):
        assert_identical(handle.load(), scenario)


def test_nothing_is_left_when_nothing_could_be_read(tmp_path):
    write_pickle(tmp_path / "src" / "sd_bad.pkl", {"tracks": 1})
    before = _tree(tmp_path)
    with pytest.raises(ScenarioFormatError, match=r"none of 1 scenarios could be read.*sd_bad"):
        convert(tmp_path / "src", tmp_path / "out", progress=False)
    assert _tree(tmp_path) == before


def test_an_interrupt_leaves_nothing_behind(tmp_path, monkeypatch):
    write_split([make_scenario()], tmp_path / "a")

    def interrupt(*_: object) -> Scenario:
        raise KeyboardInterrupt

    monkeypatch.setattr("simengine.scenario.convert.load_scenario", interrupt)
    before = _tree(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path / "a", tmp_path / "b", progress=False)
    assert _tree(tmp_path) == before


def test_an_existing_destination_is_kept_unless_asked(tmp_path):
    write_split([make_scenario()], tmp_path / "a")
    write_split([random_scenario(1)], tmp_path / "b")
    with pytest.raises(ScenarioFormatError, match="exists"):
        convert(tmp_path / "a", tmp_path / "b", progress=False)
    convert(tmp_path / "a", tmp_path / "b", overwrite=True, progress=False)
    assert [handle.token for handle in open_split(tmp_path, "b")] == ["straight"]
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    with pytest.raises(ScenarioFormatError, match="no split"):
        convert(tmp_path / "a", tmp_path / "home", overwrite=True, progress=False)
    assert (tmp_path / "home" / "letter.txt").exists()
    assert _tree(tmp_path)[:3] == ["a", "a/index.json", "a/maps"]


def test_a_source_without_scenarios_is_one_clear_sentence(tmp_path):
    for src in (tmp_path, tmp_path / "none"):
        with pytest.raises(ScenarioFormatError, match="no scenarios found"):
            convert(src, tmp_path / "out", progress=False)


def test_single_files_and_progress(tmp_path, capfd):
    path = write_pickle(tmp_path / "sd_x.pkl", make_scene())
    assert convert(path, tmp_path / "one").read == 1
    assert convert(tmp_path / "one" / "made_scene.npz", tmp_path / "two").read == 1
    assert capfd.readouterr().out == ""
