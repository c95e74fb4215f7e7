"""Who is connected to a planner, and who drives which rollout."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Session:
    """One dialled simulator.

    Attributes:
        identity: its address on the listening socket; new after each dial.
        client: its name; kept over dials.
        last_heard: clock time of its last message [s].
        images: shared memory it announced, (size,) bytes.
        tokens: rollouts it drives.
    """

    identity: bytes
    client: str
    last_heard: float
    images: np.ndarray | None = None
    tokens: set[str] = field(default_factory=set)


class SessionBook:
    """All sessions of a planner, and the owner of every rollout."""

    def __init__(self, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Make an empty book; a session is expired after `timeout` silent seconds."""
        self._timeout = timeout
        self._clock = clock
        self._by_identity: dict[bytes, Session] = {}
        self._owner: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._by_identity)

    def open(self, identity: bytes, client: str) -> list[bytes]:
        """Enter a simulator; returns the identities of its earlier dials, which are closed.

        Rollouts of the earlier dials go on under the new one.
        """
        session = Session(identity, client, self._clock())
        earlier = [
            old for old in self._by_identity.values() if old.client == client or old.identity == identity
        ]
        for old in earlier:
            del self._by_identity[old.identity]
            session.tokens |= old.tokens
        for token in session.tokens:
            self._owner[token] = session
        self._by_identity[identity] = session
        return [old.identity for old in earlier]

    def get(self, identity: bytes) -> Session | None:
        """Return the session of a sender that was just heard."""
        session = self._by_identity.get(identity)
        if session is not None:
            session.last_heard = self._clock()
        return session

    def claim(self, session: Session, token: str, step: int) -> bool:
        """Return whether `session` may drive `token`: it is free, its own, or it starts afresh."""
        owner = self._owner.get(token)
        if owner is not None and owner is not session:
            if step > 0:
                return False
            owner.tokens.discard(token)
        self._owner[token] = session
        session.tokens.add(token)
        return True

    def release(self, session: Session, token: str) -> bool:
        """End a rollout; returns whether it was this session's."""
        if self._owner.get(token) is not session:
            return False
        del self._owner[token]
        session.tokens.discard(token)
        return True

    def close(self, identity: bytes) -> set[str]:
        """Remove a session; returns the rollouts that ended with it."""
        session = self._by_identity.pop(identity, None)
        if session is None:
            return set()
        for token in session.tokens:
            self._owner.pop(token, None)
        return session.tokens

    def expired(self) -> list[bytes]:
        """Return the identities that have been silent for too long."""
        limit = self._clock() - self._timeout
        return [identity for identity, session in self._by_identity.items() if session.last_heard < limit]
