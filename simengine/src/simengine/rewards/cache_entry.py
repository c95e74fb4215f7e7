"""One entry of a score cache: its key, which is a hash of everything it depends on, and its computation."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simengine.errors import ScenarioFormatError
from simengine.files.arrays import read_arrays
from simengine.rewards.logged import logged_moment
from simengine.rewards.modes import VERSION, RewardRules
from simengine.rewards.place import place_of
from simengine.rewards.reward_file import open_rewards, save_rewards
from simengine.rewards.scorer import VocabularyScorer
from simengine.rewards.vocabulary import Vocabulary
from simengine.scenario.io import SCENARIO_FORMAT, SCENARIO_VERSION
from simengine.scenario.splits import ScenarioHandle

ENTRIES = "entries"
# What a scenario file holds that no score depends on.
_IRRELEVANT_HEADER = ("tags", "asset_id", "cameras", "log_name", "map_name")
_IRRELEVANT_ARRAYS = ("cameras.", "lights.stop_point", "global_from_world")


@dataclass(frozen=True)
class EntryResult:
    """What became of one token.

    Attributes:
        token: id of the scenario.
        key: of its entry, "" if it failed.
        computed: whether it was computed now, rather than found.
        error: one sentence if it failed.
    """

    token: str
    key: str = ""
    computed: bool = False
    error: str = ""


def entry_path(directory: Path, key: str) -> Path:
    """Return where the entry with `key` lies in a cache."""
    return Path(directory) / ENTRIES / key[:2] / f"{key}.npz"


def entry_key(scenario_file: Path, vocabulary: Vocabulary, rules: RewardRules) -> str:
    """Return 40 hex digits that name the scores of a vocabulary in a native scenario file.

    They depend on the content of scenario and map, the vocabulary, all parameters of the mode, and the version of the
    scorer; not on where files lie or how they are compressed.

    Raises:
        ScenarioFormatError: the file cannot be read.
    """
    header, arrays = read_arrays(scenario_file, SCENARIO_FORMAT, SCENARIO_VERSION)
    relevant = {key: value for key, value in header.items() if key not in _IRRELEVANT_HEADER}
    digest = hashlib.sha256(f"{VERSION} {vocabulary.key} {rules!r}".encode())
    digest.update(json.dumps(relevant, sort_keys=True).encode())
    for name in sorted(arrays):
        if not name.startswith(_IRRELEVANT_ARRAYS):
            array = np.ascontiguousarray(arrays[name])
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()[:40]


def compute_entry(handle: ScenarioHandle, scorer: VocabularyScorer, directory: Path) -> EntryResult:
    """Score the vocabulary at the first decision of one scenario and write its entry, unless it is there already."""
    key = entry_key(handle.path, scorer.vocabulary, scorer.rules)
    path = entry_path(directory, key)
    if is_entry(path, handle.token):
        return EntryResult(handle.token, key)
    scenario = handle.load()
    scores = scorer.score(place_of(scenario), logged_moment(scenario, scorer.rules))
    save_rewards(path, [scores], scorer.vocabulary, key=key)
    return EntryResult(handle.token, key, computed=True)


def is_entry(path: Path, token: str) -> bool:
    """Return whether a readable entry of `token` lies at `path`; a broken one is to be made again."""
    if not path.exists():
        return False
    try:
        return open_rewards(path).token == token
    except ScenarioFormatError:
        return False
