"""The score cache: keys, resuming, damage, lookup, and the exchange with the original's pickle."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from rewards_factories import busy_scenario, is_mapped, make_plans, make_vocabulary, write_scenarios
from simengine.errors import ConfigError, ScenarioFormatError
from simengine.rewards.cache_entry import compute_entry, entry_key, entry_path
from simengine.rewards.cache_index import CacheIndex, load_index, open_index, save_index
from simengine.rewards.cache_pickle import PUBLISHED_COLUMNS, export_cache, import_cache
from simengine.rewards.columns import COLUMNS
from simengine.rewards.logged import logged_moment
from simengine.rewards.modes import REWARD_MODES, reward_rules
from simengine.rewards.place import place_of
from simengine.rewards.score_cache import ScoreCache
from simengine.rewards.scorer import VocabularyScorer
from simengine.rewards.vocabulary import Vocabulary
from simengine.scenario.io import save_scenario
from simengine.scenario.splits import load_index as load_split

VOCABULARY = make_vocabulary()
RULES = reward_rules("navsim_v1")


@pytest.fixture
def cache(tmp_path):
    """A cache of three scenarios in `cache/`, made from the split in `split/`."""
    handles = load_split(write_scenarios(tmp_path / "split")).handles()
    scorer = VocabularyScorer(VOCABULARY, threads=1)
    results = [compute_entry(handle, scorer, tmp_path / "cache") for handle in handles]
    index = CacheIndex.of(VOCABULARY, "navsim_v1").with_keys({r.token: r.key for r in results})
    save_index(tmp_path / "cache", index)
    return ScoreCache(tmp_path / "cache")


def key_of(scenario, tmp_path, vocabulary=VOCABULARY, rules=RULES, **options):
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.npz"
    return entry_key(save_scenario(scenario, path, **options), vocabulary, rules)


def test_key_depends_on_everything_that_scores_depend_on(tmp_path):
    scenario = busy_scenario()
    agents, ego = scenario.agents, scenario.ego
    moved = agents.pose.copy()
    moved[0, 20, 0] += 1e-9
    lane = scenario.map.lanes["lane_0"]
    widened = replace(
        scenario.map, lanes={**scenario.map.lanes, "lane_0": replace(lane, polygon=lane.polygon * 1.01)}
    )
    variants = [
        scenario,
        replace(scenario, token="other"),
        replace(scenario, agents=replace(agents, pose=moved)),
        replace(scenario, ego=replace(ego, velocity=ego.velocity + 1e-9)),
        replace(scenario, map=widened),
        replace(scenario, route=()),
        replace(scenario, initial_frame=16),
        replace(scenario, vehicle=replace(scenario.vehicle, width=2.0)),
    ]
    keys = [key_of(variant, tmp_path) for variant in variants]
    keys += [key_of(scenario, tmp_path, rules=reward_rules(mode)) for mode in REWARD_MODES[1:]]
    stricter = replace(RULES, scoring=replace(RULES.scoring, progress_threshold=4.0))
    keys.append(key_of(scenario, tmp_path, rules=stricter))
    keys.append(key_of(scenario, tmp_path, vocabulary=Vocabulary(make_plans() + 1e-6)))
    assert len(set(keys)) == len(keys)


def test_key_does_not_depend_on_files_or_labels(tmp_path):
    scenario = busy_scenario()
    key = key_of(scenario, tmp_path)
    assert key_of(scenario, tmp_path, compress=False) == key
    assert key_of(replace(scenario, tags={"difficulty": 3}, asset_id="x"), tmp_path) == key


def test_lookup_gives_what_the_scorer_gives(cache, tmp_path):
    scorer = VocabularyScorer(VOCABULARY)
    assert list(cache) == ["token_0", "token_1", "token_2"]
    for handle in load_split(tmp_path / "split"):
        scenario = handle.load()
        expected = scorer.score(place_of(scenario), logged_moment(scenario, scorer.rules))
        for name in COLUMNS:
            np.testing.assert_array_equal(
                cache[handle.token][name], expected.columns[name].astype(np.float32)
            )
    assert is_mapped(cache["token_0"]["score"])
    assert cache["token_0"].unknown == {}
    with pytest.raises(KeyError):
        cache["token_0"]["charm"]


def test_batches_keep_the_order_asked_for(cache):
    batch = cache.gather(["token_2", "token_0", "token_2"], ["score", "comfort"])
    assert {name: (x.shape, x.dtype) for name, x in batch.items()} == {
        name: ((3, VOCABULARY.size), np.float32) for name in ("score", "comfort")
    }
    np.testing.assert_array_equal(batch["score"][1], cache["token_0"]["score"])
    np.testing.assert_array_equal(batch["score"][0], batch["score"][2])
    assert not np.array_equal(batch["score"][0], batch["score"][1])


def test_missing_tokens(cache):
    assert "token_9" not in cache
    assert cache.missing(["token_1", "token_9"]) == ["token_9"]
    with pytest.raises(KeyError):
        cache["token_9"]
    with pytest.raises(
        ScenarioFormatError, match="1 of 2 tokens are not in the score cache .such as token_9."
    ):
        cache.gather(["token_1", "token_9"])


def test_what_is_there_is_kept_and_what_is_broken_is_made_again(cache, tmp_path):
    handle = load_split(tmp_path / "split").handles()[0]
    scorer = VocabularyScorer(VOCABULARY)
    path = entry_path(cache.directory, cache.index.keys["token_0"])
    whole = path.read_bytes()
    assert not compute_entry(handle, scorer, cache.directory).computed
    path.write_bytes(whole[:100])
    assert compute_entry(handle, scorer, cache.directory).computed
    assert path.read_bytes() == whole


def test_a_changed_scenario_gets_a_new_entry(cache, tmp_path):
    before = dict(cache.index.keys)
    save_scenario(busy_scenario("token_0", 0.0), tmp_path / "split" / "token_0.npz")
    handle = load_split(tmp_path / "split").handles()[0]
    result = compute_entry(handle, VocabularyScorer(VOCABULARY), cache.directory)
    assert result.computed
    assert result.key != before["token_0"]


def test_damage_is_told_by_verify(cache):
    assert [error for _, error in cache.verify()] == ["", "", ""]
    path = entry_path(cache.directory, cache.index.keys["token_1"])
    content = bytearray(path.read_bytes())
    content[content.index(np.ascontiguousarray(cache["token_1"].file.arrays["score"]).tobytes())] ^= 1
    path.write_bytes(content)
    found = dict(cache.verify())
    assert found["token_0"] == found["token_2"] == ""
    assert f"{path}: " in found["token_1"]
    assert "make" in found["token_1"]


def test_an_entry_of_another_token_is_noticed(cache):
    one, two = (entry_path(cache.directory, cache.index.keys[t]) for t in ("token_1", "token_2"))
    one.write_bytes(two.read_bytes())
    with pytest.raises(ScenarioFormatError, match="of 'token_2', expected 12 of 'token_1'"):
        cache["token_1"]


def test_a_cache_holds_one_vocabulary_in_one_mode(cache):
    assert open_index(cache.directory, VOCABULARY, "navsim_v1").keys == cache.index.keys
    with pytest.raises(ConfigError, match="is a cache with mode navsim_v1, expected corrected"):
        open_index(cache.directory, VOCABULARY, "corrected")
    with pytest.raises(ConfigError, match="is a cache with vocabulary"):
        open_index(cache.directory, Vocabulary(make_plans() * 0.5), "navsim_v1")
    assert open_index(cache.directory / "new", VOCABULARY, "corrected").keys == {}


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": "simengine-score-cache", "version": 7}'])
def test_broken_index(cache, content):
    (cache.directory / "index.json").write_text(content)
    with pytest.raises(ScenarioFormatError, match="not an index of a score cache"):
        ScoreCache(cache.directory)
    with pytest.raises(ScenarioFormatError, match="make one with"):
        ScoreCache(cache.directory / "nowhere")


def test_index_is_plain_json_in_a_fixed_order(cache):
    body = json.loads((cache.directory / "index.json").read_text())
    assert list(body["keys"]) == sorted(body["keys"])
    again = load_index(cache.directory)
    assert again == cache.index
    assert again.with_keys({"x": "1"}, imported=True).with_keys({"x": "2"}).imported == frozenset()


def test_export_is_the_original_schema(cache, tmp_path):
    path = tmp_path / "pdm_8192_gt_cache_navtest.pkl"
    assert export_cache(cache, path) == 3
    table = pickle.loads(path.read_bytes())
    assert list(table) == list(cache)
    for token, record in table.items():
        assert list(record) == list(PUBLISHED_COLUMNS)
        for name, values in record.items():
            assert type(values) is np.ndarray
            assert (values.dtype, values.shape) == (np.float32, (VOCABULARY.size,))
            np.testing.assert_array_equal(values, cache[token][name])
    assert export_cache(cache, path, ["token_1"]) == 1
    assert list(pickle.loads(path.read_bytes())) == ["token_1"]


def test_import_of_an_export_is_the_same(cache, tmp_path):
    path, again = tmp_path / "a.pkl", tmp_path / "b.pkl"
    export_cache(cache, path)
    seen = []
    keys = import_cache(path, tmp_path / "copy", VOCABULARY, "navsim_v1", seen.append)
    assert seen == list(keys) == list(cache)
    index = CacheIndex.of(VOCABULARY, "navsim_v1").with_keys(keys, imported=True)
    save_index(tmp_path / "copy", index)
    copy = ScoreCache(tmp_path / "copy")
    assert copy["token_0"].unknown == dict.fromkeys(
        ("driving_direction_compliance", "lane_keeping"), "not in this file"
    )
    assert np.isnan(copy["token_0"]["lane_keeping"]).all()
    export_cache(copy, again)
    assert again.read_bytes() == path.read_bytes()
    assert import_cache(path, tmp_path / "copy", VOCABULARY, "navsim_v1") == keys


class Hostile:
    def __reduce__(self):
        return print, ("pwned",)


def record(size=VOCABULARY.size, **changes):
    return {name: np.ones(size, np.float32) for name in PUBLISHED_COLUMNS} | changes


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"a": Hostile()}, "asks for .*print"),
        ({"a": 3}, "the item 'a' is no score table"),
        ({3: record()}, "the item 3 is no score table"),
        ({"a": record(10)}, "of a has 10 values, expected 12"),
        ({"a": record(score=np.zeros((12, 2)))}, "score of a is no array of numbers"),
        ({"a": record(comfort=np.full(12, 0.5, np.float32))}, "comfort has a value 0.5, expected 0 or 1"),
        ([record()], "not one dictionary"),
    ],
)
def test_import_refuses_what_is_no_cache(table, words, tmp_path):
    path = tmp_path / "cache.pkl"
    path.write_bytes(pickle.dumps(table))
    with pytest.raises(ScenarioFormatError, match=words):
        import_cache(path, tmp_path / "out", VOCABULARY, "navsim_v1")
