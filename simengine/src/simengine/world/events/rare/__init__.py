"""What goes wrong around the ego, one event per file; `RARE_EVENTS` lists them.

Every event is timed so that ignoring it ends in a collision within the scored four seconds; a higher difficulty
leaves less of them to react.
"""

from __future__ import annotations

from simengine.world.events.event import Event
from simengine.world.events.rare.cones import Cones
from simengine.world.events.rare.cut_in import CutIn
from simengine.world.events.rare.cyclist_crossing import CyclistCrossing
from simengine.world.events.rare.cyclist_swerve import CyclistSwerve
from simengine.world.events.rare.door_zone import DoorZone
from simengine.world.events.rare.hard_brake import HardBrake
from simengine.world.events.rare.lane_closure import LaneClosure
from simengine.world.events.rare.oncoming_drift import OncomingDrift
from simengine.world.events.rare.oncoming_overtaker import OncomingOvertaker
from simengine.world.events.rare.pedestrian_dart import PedestrianDart
from simengine.world.events.rare.pull_out import PullOut
from simengine.world.events.rare.red_light_runner import RedLightRunner
from simengine.world.events.rare.roundabout_entry import RoundaboutEntry
from simengine.world.events.rare.short_merge import ShortMerge
from simengine.world.events.rare.slow_tractor import SlowTractor
from simengine.world.events.rare.stalled_vehicle import StalledVehicle
from simengine.world.events.rare.stop_sign import StopSign
from simengine.world.events.rare.unprotected_left import UnprotectedLeft

RARE_EVENTS: dict[str, Event] = {
    "hard_brake": HardBrake(),
    "cut_in": CutIn(),
    "pedestrian_dart": PedestrianDart(),
    "stalled_vehicle": StalledVehicle(),
    "red_light_runner": RedLightRunner(),
    "cyclist_swerve": CyclistSwerve(),
    "cyclist_crossing": CyclistCrossing(),
    "cones": Cones(),
    "oncoming_drift": OncomingDrift(),
    "lane_closure": LaneClosure(),
    "unprotected_left": UnprotectedLeft(),
    "roundabout_entry": RoundaboutEntry(),
    "stop_sign": StopSign(),
    "short_merge": ShortMerge(),
    "oncoming_overtaker": OncomingOvertaker(),
    "door_zone": DoorZone(),
    "slow_tractor": SlowTractor(),
    "pull_out": PullOut(),
}
