"""One colour for each kind of road user, in the viewer and in videos."""

from __future__ import annotations

from simengine.datatypes.agents import AgentType

Colour = tuple[int, int, int]

EGO: Colour = (225, 60, 40)
OTHER_EGO: Colour = (30, 165, 80)
PLAN: Colour = (255, 165, 30)
LOGGED: Colour = (120, 125, 135)
SELECTED: Colour = (255, 225, 60)

_AGENTS: dict[AgentType, Colour] = {
    AgentType.VEHICLE: (45, 105, 225),
    AgentType.PEDESTRIAN: (215, 50, 165),
    AgentType.CYCLIST: (15, 160, 165),
    AgentType.TRAFFIC_CONE: (240, 120, 20),
    AgentType.BARRIER: (150, 105, 60),
    AgentType.CZONE_SIGN: (235, 190, 40),
}
_THING: Colour = (110, 100, 90)


def agent_colour(kind: int) -> Colour:
    """Return the RGB colour of an agent of a type (`AgentType`)."""
    return _AGENTS.get(AgentType(kind), _THING)
