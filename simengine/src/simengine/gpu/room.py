"""How many entries the lists of a batch may have together when nobody waits to see how many they are."""

from __future__ import annotations

from typing import NamedTuple


class Room(NamedTuple):
    """Numbers of entries; None for as many as it takes, which waits for the device.

    Attributes:
        outlines: pairs of a point of the ego and an outline near it.
        edges: pairs of such a pair and an edge.
        boxes: pairs of a projection and a box near it.
        contacts: those of them that touch.
    """

    outlines: int | None = None
    edges: int | None = None
    boxes: int | None = None
    contacts: int | None = None


AS_NEEDED = Room()
