"""The keys `rewards.*`: checked, and made into what computes rewards."""

from __future__ import annotations

from simengine.config.protocols import make_protocol
from simengine.config.schema import RunConfig
from simengine.errors import ConfigError
from simengine.rewards.modes import DT, reward_rules
from simengine.rewards.published import LOG_DT
from simengine.rewards.scorer import VocabularyScorer
from simengine.rewards.vocabulary import Vocabulary, load_vocabulary
from simengine.runner.rewards import RewardRecorder


def check_rewards(config: RunConfig) -> None:
    """Raise `ConfigError` if the vocabulary cannot be read or the protocol does not fit the mode."""
    if load_reward_vocabulary(config) is None:
        return
    protocol = config.protocol
    published = reward_rules(config.rewards.mode).published
    if not published and abs(protocol.dt - DT) > 1e-9:
        raise ConfigError(
            f"protocol.dt is {protocol.dt} s, expected {DT} s: rewards are scored at 10 Hz in the simulated traffic"
        )
    if published and abs(protocol.decision_interval - LOG_DT) > 1e-9:
        raise ConfigError(
            f"protocol.decision_interval is {protocol.decision_interval} s, expected {LOG_DT} s: the published rewards "
            "count steps of the 2 Hz log"
        )


def make_recorder(config: RunConfig) -> RewardRecorder | None:
    """Return what computes the rewards of a worker's episodes, None if they are off."""
    vocabulary = load_reward_vocabulary(config)
    if vocabulary is None:
        return None
    # Workers that share the cores would only slow each other down with more than one thread each.
    threads = None if config.worker == "sequential" else 1
    scorer = VocabularyScorer(vocabulary, config.rewards.mode, threads)
    tracker = make_protocol(config).rules.trackers[config.controller]()
    return RewardRecorder(scorer, tracker, config.rewards.format)


def reward_identity(config: RunConfig) -> dict[str, str]:
    """Return what names the content of the vocabulary, so that a run cannot be resumed with another one."""
    vocabulary = load_reward_vocabulary(config)
    return {} if vocabulary is None else {"rewards_vocabulary": vocabulary.key}


def load_reward_vocabulary(config: RunConfig) -> Vocabulary | None:
    """Return the vocabulary that is scored, None if rewards are off."""
    rewards = config.rewards
    return None if rewards.vocabulary is None else load_vocabulary(rewards.vocabulary, rewards.vocabulary_dt)
