import gzip

import numpy as np
import pytest

from factories import shared_data
from nuplan_log_factories import write_filter
from simengine.errors import ScenarioFormatError
from simengine.scenario.nuplan.filters import SceneFilter, read_filter


def navsim_windows(frames: list[str], history: int, future: int, interval: int | None) -> list[str]:
    """The loop of NAVSIM's `filter_scenes`, slowly: cut at every interval, drop what is too short."""
    count = history + future
    pieces = [frames[i : i + count] for i in range(0, len(frames), interval or count)]
    return [piece[history - 1] for piece in pieces if len(piece) == count]


def test_a_filter_with_every_key(tmp_path):
    path = write_filter(
        tmp_path / "f.yaml",
        num_history_frames=3,
        num_future_frames=8,
        frame_interval=2,
        has_route=False,
        max_scenes=7,
        log_names=["2021.05.12.22.00.38_veh-35_01008_01518"],
        tokens=["bb4f37403cea5b0e", "1234567890123456", "0012345670123456", "123e456789012345"],
    )
    found = read_filter(path)
    assert found.tokens == ("bb4f37403cea5b0e", "1234567890123456", "0012345670123456", "123e456789012345")
    assert found.log_names == ("2021.05.12.22.00.38_veh-35_01008_01518",)
    assert (found.num_history_frames, found.num_future_frames, found.num_frames) == (3, 8, 11)
    assert (found.frame_interval, found.has_route, found.max_scenes) == (2, False, 7)
    assert found.wants_log("2021.05.12.22.00.38_veh-35_01008_01518") and not found.wants_log("other")


def test_missing_keys_are_navsims_defaults(tmp_path):
    path = write_filter(tmp_path / "f.yaml", tokens=None, frame_interval=None, log_names=None)
    assert read_filter(path) == SceneFilter(name=str(path))
    tokens = write_filter(
        tmp_path / "g.yaml", scenario_tokens=["a", "b"], num_future_frames=0, other_key=[1, 2]
    )
    assert read_filter(tokens).tokens == ("a", "b")
    assert read_filter(tokens).num_future_frames == 0


def test_windows_are_those_of_navsim():
    rng = np.random.default_rng(3)
    for _ in range(300):
        frames = [f"t{k}" for k in range(rng.integers(0, 60))]
        history, future = int(rng.integers(1, 6)), int(rng.integers(0, 12))
        interval = None if rng.random() < 0.3 else int(rng.integers(1, 8))
        rule = SceneFilter(num_history_frames=history, num_future_frames=future, frame_interval=interval)
        assert rule.windows(frames) == navsim_windows(frames, history, future, interval)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tokens: 5", "tokens is a str, expected a list"),
        ("tokens: {a: b}", "tokens is a dict"),
        ("tokens:\n- [a]", "tokens is a list, expected a list of names"),
        ("num_history_frames: many", "num_history_frames is 'many', expected a whole number"),
        ("num_history_frames: 0", "num_history_frames is '0', expected a number of frames"),
        ("num_future_frames: null", "num_future_frames is 'null'"),
        ("max_scenes: -1", "max_scenes is '-1'"),
        ("has_route: maybe", "has_route is 'maybe', expected true or false"),
        ("- a\n- b", "holds a list, expected a NAVSIM scene filter with keys"),
        ("a: [", "no YAML"),
        ("\x00", "no YAML"),
    ],
)
def test_malformed_filters_are_one_sentence(tmp_path, text, words):
    path = tmp_path / "f.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioFormatError, match=words) as caught:
        read_filter(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_filter_that_is_not_there(tmp_path):
    with pytest.raises(ScenarioFormatError, match="none.yaml: cannot be read"):
        read_filter(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("name", "tokens", "logs"),
    [
        ("navtest.yaml", 12_146, 136),
        ("navsafe.yaml", 229, 57),
        ("navhard_one_stage.yaml", 225, 76),
        ("navtest_failures_filtered.yaml", 288, 89),
        ("navtrain_50pct_collision.yaml", 362, 596),
    ],
)
def test_published_filters(name, tokens, logs):
    found = read_filter(shared_data("data", "worldengine_splits") / name)
    assert (len(found.tokens), len(found.log_names)) == (tokens, logs)
    assert all(len(token) == 16 and set(token) <= set("0123456789abcdef") for token in found.tokens)
    assert (found.num_history_frames, found.has_route) == (4, True)


def test_the_largest_published_filter(tmp_path):
    packed = shared_data("data", "worldengine_splits") / "navtrain_50pct.yaml.gz"
    (tmp_path / "f.yaml").write_bytes(gzip.decompress(packed.read_bytes()))
    assert len(read_filter(tmp_path / "f.yaml").tokens) == 50_000
