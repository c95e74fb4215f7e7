from __future__ import annotations

import threading

import numpy as np
import pytest

from render_factories import make_random_gaussians, make_street
from simengine.errors import AssetError
from simengine.render.scene import BACKGROUND, SplatNode, SplatScene
from simengine.render.scene_cache import SceneCache

COUNT = 1000
ONE_SCENE = 2 * make_random_gaussians(COUNT).nbytes
"""A scene and its static Gaussians."""


class Opener:
    """Makes scenes of one size, remembers for whom and in which thread, and can be held up."""

    def __init__(self, error: Exception | None = None) -> None:
        self.made, self.threads, self.error = [], [], error
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self, scenario):
        self.may_go_on.wait(10)
        self.made.append(scenario.token)
        self.threads.append(threading.current_thread())
        if self.error is not None:
            raise self.error
        flat = make_random_gaussians(COUNT, seed=len(scenario.token))
        return SplatScene({BACKGROUND: SplatNode(BACKGROUND, flat, is_static=True)})


SCENARIOS = {token: make_street(token=token) for token in "abcd"}


def visit(cache: SceneCache, tokens: str) -> None:
    for token in tokens:
        cache.get(SCENARIOS[token])


@pytest.mark.parametrize(
    ("scenes", "room", "visits", "made"),
    [
        (4, None, "abcdabcd", "abcd"),
        (4, 2.5, "abcbca", "abca"),
        (4, 0.5, "aabba", "aba"),
        (1, None, "aba", "aba"),
    ],
)
def test_scenes_used_longest_ago_go_when_there_is_no_room(scenes, room, visits, made):
    opener = Opener()
    cache = SceneCache(opener, scenes, None if room is None else int(room * ONE_SCENE))
    visit(cache, visits)
    assert "".join(opener.made) == made


def test_the_next_scene_is_opened_in_the_background_once():
    opener = Opener()
    cache = SceneCache(opener)
    here = cache.get(SCENARIOS["a"])
    opener.may_go_on.clear()
    cache.prefetch(SCENARIOS["b"])
    # Nothing waits for it, and only one is opened early at a time.
    assert cache.get(SCENARIOS["a"]) is here
    cache.prefetch(SCENARIOS["c"])
    opener.may_go_on.set()
    early = cache.get(SCENARIOS["b"])
    assert opener.made == ["a", "b"] and opener.threads[1] is not threading.main_thread()
    now = SceneCache(Opener()).get(SCENARIOS["b"])
    np.testing.assert_array_equal(early.static.means, now.static.means)
    cache.prefetch(SCENARIOS["b"])
    visit(cache, "bc")
    assert opener.made == ["a", "b", "c"] and opener.threads[2] is threading.main_thread()


def test_an_error_in_the_background_comes_with_its_scenario():
    opener = Opener(AssetError("broken"))
    cache = SceneCache(opener)
    cache.prefetch(SCENARIOS["a"])
    with pytest.raises(AssetError, match="broken"):
        cache.get(SCENARIOS["a"])
    opener.error = None
    assert len(cache.get(SCENARIOS["a"]).static) == COUNT
