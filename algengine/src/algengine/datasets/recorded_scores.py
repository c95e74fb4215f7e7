"""True sub-scores of every plan at the decisions of recordings, read from the rewards of a run.

D decisions of a recording, S sub-scores, K plans.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from algengine.datasets.openscene.places import located
from algengine.datasets.vocabulary import load_vocabulary
from algengine.errors import RecordingError
from algengine.heads.sub_score_heads import SUB_SCORES
from simengine.datatypes.observation_log import ObservationLog
from simengine.rewards.reward_file import RewardFile, open_rewards
from simengine.rewards.vocabulary import Vocabulary

_SHOWN = 12
"""Digits of a vocabulary's key that tell it from others in a message."""


class RecordedScores:
    """Sub-scores of recordings, found by token.

    Args:
        root: folder `rewards` of a run that drove the recorded split with `rewards.vocabulary`.
        vocabulary: path of the plans that were scored (.npy).

    Raises:
        RecordingError: there is no such folder or vocabulary.
    """

    def __init__(self, root: str | Path, vocabulary: str | Path) -> None:
        self._root, self._vocabulary = located(root), Path(vocabulary)
        self._plans = Vocabulary(load_vocabulary(located(vocabulary)))
        if not self._root.is_dir():
            raise RecordingError(f"there are no scores of plans in {self._root}, {self._remedy()}")

    def load(self, log: ObservationLog) -> np.ndarray:
        """Return the sub-scores (D, S, K) float32 of all decisions of a log, in the order of `SUB_SCORES`.

        NaN where a decision's scores are not known, such as at the end of a log.

        Raises:
            RecordingError: the log has no scores, or they are of other plans or of another drive.
            ScenarioFormatError: the file of scores is broken.
        """
        path = self._root / f"{log.token}.npz"
        if not path.is_file():
            raise RecordingError(f"the recording {log.token} has no scores of plans {path}, {self._remedy()}")
        file = open_rewards(path)
        self._check(file, log)
        return np.stack(
            [np.stack([file.column(name, row) for name in SUB_SCORES]) for row in range(log.num_decisions)]
        )

    def _check(self, file: RewardFile, log: ObservationLog) -> None:
        found, wanted = file.header["vocabulary"], self._plans.key
        if found != wanted:
            raise RecordingError(
                f"{file.path} scores the plans {found[:_SHOWN]}, the vocabulary {self._vocabulary} has "
                f"{wanted[:_SHOWN]}: score the recordings again in an empty folder"
            )
        if file.steps[: log.num_decisions] != tuple(range(log.num_decisions)):
            raise RecordingError(
                f"{file.path} has scores of {len(file.steps)} decisions, the recording {log.token} has "
                f"{log.num_decisions}: drive the scores with the configuration of the recordings"
            )

    def _remedy(self) -> str:
        return (
            "expected those of the recorded split: make them with `simengine run --config-name record split=SPLIT "
            f"record.cameras=none rewards.vocabulary={self._vocabulary} output_dir={self._root.parent}`"
        )
