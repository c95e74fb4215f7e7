"""Vocabularies: what is refused, in one sentence, and what names them."""

import numpy as np
import pytest

from factories import shared_data
from rewards_factories import make_plans, save_plans
from simengine.errors import ConfigError
from simengine.rewards.vocabulary import Vocabulary, load_vocabulary


def test_key_depends_on_numbers_and_rate_only(tmp_path):
    plans = make_plans().astype(np.float32)
    key = Vocabulary(plans).key
    assert (
        Vocabulary(plans.astype(np.float64)).key == key == load_vocabulary(save_plans(tmp_path / "v.npy")).key
    )
    assert Vocabulary(np.asfortranarray(plans)).key == key
    assert Vocabulary(plans[::-1]).key != key
    assert Vocabulary(plans, 0.2).key != key


@pytest.mark.parametrize(
    ("plans", "dt", "words"),
    [
        (np.zeros((4, 40)), 0.1, r"shape \(4, 40\)"),
        (np.zeros((4, 40, 2)), 0.1, "expected numbers"),
        (np.zeros((0, 40, 3)), 0.1, "expected numbers"),
        (np.zeros((4, 40, 3), "U1"), 0.1, "type <U1"),
        (np.full((4, 40, 3), np.nan), 0.1, "plan 0 of a vocabulary is not finite"),
        (np.zeros((4, 8, 3)), 0.1, "8 poses 0.1 s apart, expected them to reach 4.0 s"),
        (np.zeros((4, 40, 3)), 0.0, "expected them to reach"),
        (make_plans((50.0,)), 0.05, "expected them to reach"),
        (np.repeat(make_plans((50.0,)), 2, axis=1), 0.05, "starts with up to 100 m/s"),
    ],
)
def test_malformed_vocabularies_are_refused(plans, dt, words, tmp_path):
    with pytest.raises(ConfigError, match=words):
        Vocabulary(plans, dt)
    np.save(tmp_path / "bad.npy", plans)
    with pytest.raises(ConfigError, match=r"bad\.npy"):
        load_vocabulary(tmp_path / "bad.npy", dt)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"not an array at all"])
def test_unreadable_files(content, tmp_path):
    path = tmp_path / "v.npy"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_vocabulary(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_vocabulary(tmp_path / "nowhere.npy")


def test_objects_are_not_unpickled(tmp_path):
    np.save(tmp_path / "v.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_vocabulary(tmp_path / "v.npy")


def test_the_published_vocabulary_fits():
    vocabulary = load_vocabulary(shared_data("data", "simscale", "trajectory_vocabulary_8192.npy"))
    assert vocabulary.plans.shape == (8192, 40, 3)
