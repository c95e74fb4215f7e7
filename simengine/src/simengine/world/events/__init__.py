"""Everything that can happen around the ego: `common` and `rare` events, one per file."""

from __future__ import annotations

from simengine.world.events.common import COMMON_EVENTS
from simengine.world.events.event import Event
from simengine.world.events.rare import RARE_EVENTS

__all__ = ["COMMON_EVENTS", "RARE_EVENTS", "Event"]
