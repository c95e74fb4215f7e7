"""Which bad contacts count, and the first of each sequence.

One sequence at a time, a harmless contact would be remembered and excuse later ones. All at once: a bad contact
counts if no harmless one of its group has a smaller order.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from simengine.gpu.contacts import Contacts

_NEVER = torch.iinfo(torch.int64).max
_KINDS = 4
ASIDE = 2
"""So many times as many sequences as there are: behind them are those of contacts put aside."""


@dataclass(frozen=True)
class Violations:
    """The first violation of each of P state sequences, see `metrics.pdm.contact.Violations`.

    Attributes:
        first_frame: (P,) frame of the first violation, infinity without one.
        track: (P,) row of the track that is violated there, -1 without one.
        detail: (P,) int8, `CollisionKind` of a collision, or frames looked ahead for time to collision; -1
            without a violation.
    """

    first_frame: torch.Tensor
    track: torch.Tensor
    detail: torch.Tensor


@dataclass(frozen=True)
class FirstContacts:
    """The first counted contact of each of P sequences; the other numbers mean nothing where there is none.

    Attributes:
        found: (P,) whether there is one.
        state: (P,) its state.
        look: (P,) its projection.
        track: (P,) its track.
        kind: (P,) its kind.
    """

    found: torch.Tensor
    state: torch.Tensor
    look: torch.Tensor
    track: torch.Tensor
    kind: torch.Tensor

    def violations(self, detail: torch.Tensor) -> Violations:
        """Return them as violations with a `detail` (P,)."""
        return Violations(
            torch.where(self.found, self.state.double(), torch.inf),
            torch.where(self.found, self.track, -1),
            torch.where(self.found, detail, -1).to(torch.int8),
        )


def order_of(contacts: Contacts, looks: int, tracks: int) -> torch.Tensor:
    """Return the order (K,) in which the contacts of a sequence come: by state, then projection, then track."""
    return (contacts.state * looks + contacts.look) * tracks + contacts.track


def excuse_groups(
    contacts: Contacts, *, ends: bool, rows: int, states: int, tracks: int
) -> tuple[torch.Tensor, int]:
    """Return the groups (K,) in which a harmless contact excuses all later ones, and a bound of their number.

    All contacts of a sequence with a track; where an excuse `ends` with the contact, those in consecutive states.
    """
    group = contacts.row * tracks + contacts.track
    if not ends:
        return group, ASIDE * rows * tracks
    # The states of different groups are at least two apart.
    key, place = (group * (states + 1) + contacts.state).sort()
    starts = torch.ones_like(key)
    starts[1:] = key[1:] > key[:-1] + 1
    return torch.empty_like(key).scatter_(0, place, starts.cumsum(0) - 1), len(contacts)


def not_excused(bad: torch.Tensor, order: torch.Tensor, group: torch.Tensor, groups: int) -> torch.Tensor:
    """Return which bad contacts (K,) come before every harmless one of their group."""
    harmless = order.masked_fill(bad, _NEVER)
    first = order.new_full((groups,), _NEVER).scatter_reduce_(0, group, harmless, "amin")
    return bad & (order < first[group])


def first_contacts(
    contacts: Contacts, counted: torch.Tensor, kind: torch.Tensor, *, rows: int, looks: int, tracks: int
) -> FirstContacts:
    """Return the first counted contact of each of `rows` sequences, with its `kind` (K,), 0 to 3."""
    code = (order_of(contacts, looks, tracks) * _KINDS + kind).masked_fill_(~counted, _NEVER)
    code = code.new_full((ASIDE * rows,), _NEVER).scatter_reduce_(0, contacts.row, code, "amin")[:rows]
    order, found = code // _KINDS, code < _NEVER
    projection = order // tracks
    return FirstContacts(
        found, projection // looks, projection % looks, order - projection * tracks, code - order * _KINDS
    )
