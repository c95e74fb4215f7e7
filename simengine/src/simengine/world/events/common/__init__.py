"""Everyday driving, one event per file; `COMMON_EVENTS` lists them."""

from __future__ import annotations

from simengine.world.events.common.arterial_drive import ArterialDrive
from simengine.world.events.common.bend import Bend
from simengine.world.events.common.circle import Circle
from simengine.world.events.common.crosswalk import Crosswalk
from simengine.world.events.common.following import Following
from simengine.world.events.common.free_drive import FreeDrive
from simengine.world.events.common.green_crossing import GreenCrossing
from simengine.world.events.common.green_start import GreenStart
from simengine.world.events.common.grid_drive import GridDrive
from simengine.world.events.common.highway_drive import HighwayDrive
from simengine.world.events.common.leaving_highway import LeavingHighway
from simengine.world.events.common.left_with_gap import LeftWithGap
from simengine.world.events.common.merging import Merging
from simengine.world.events.common.narrow_street import NarrowStreet
from simengine.world.events.common.ramp_merging import RampMerging
from simengine.world.events.common.stop_and_go import StopAndGo
from simengine.world.events.common.stop_at_red import StopAtRed
from simengine.world.events.common.turn_left import TurnLeft
from simengine.world.events.common.turn_right import TurnRight
from simengine.world.events.common.work_zone import WorkZone
from simengine.world.events.event import Event

COMMON_EVENTS: dict[str, Event] = {
    "free_drive": FreeDrive(),
    "following": Following(),
    "bend": Bend(),
    "green_crossing": GreenCrossing(),
    "stop_at_red": StopAtRed(),
    "green_start": GreenStart(),
    "turn_left": TurnLeft(),
    "turn_right": TurnRight(),
    "merging": Merging(),
    "crosswalk": Crosswalk(),
    "circle": Circle(),
    "stop_and_go": StopAndGo(),
    "left_with_gap": LeftWithGap(),
    "grid_drive": GridDrive(),
    "arterial_drive": ArterialDrive(),
    "highway_drive": HighwayDrive(),
    "ramp_merging": RampMerging(),
    "leaving_highway": LeavingHighway(),
    "narrow_street": NarrowStreet(),
    "work_zone": WorkZone(),
}
