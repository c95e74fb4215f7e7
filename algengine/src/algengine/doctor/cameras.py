"""Does the planner follow what its cameras show, and if not: under which exchange of images would it?

A road bends, or the ego stands beside its middle, while the ego's own motion is straight on. A planner that uses its
images then plans to one side. It need not do so fully: only the pattern over the roads counts, not its size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from algengine.doctor.finding import Finding
from algengine.doctor.motions import Motion
from algengine.doctor.road import Road
from algengine.doctor.show import Change, Stage, unchanged
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan

CHECK = "cameras"
SPEED, LOOK = 6.0, 3.0
REACTION = 0.1
"""Root mean square [m] of sideways plans below which the planner does not react."""
UNLIKE, LIKE = 0.1, 0.35
_EXCHANGED_SIDES = {f"CAM_{a}{k}": f"CAM_{b}{k}" for a, b in (("L", "R"), ("R", "L")) for k in range(3)}
_EXCHANGED_ENDS = {"CAM_F0": "CAM_B0", "CAM_B0": "CAM_F0"}
Images = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class ImageCorrection:
    """One mistake with images, and what makes up for it."""

    mistake: str
    meaning: str
    undo: Callable[[Images], dict[str, np.ndarray]]

    @property
    def change(self) -> Change:
        """The correction as a change of observations."""
        return lambda observation: replace(observation, images=self.undo(observation.images))


@dataclass(frozen=True)
class Reaction:
    """How the planner reacts to roads.

    Attributes:
        side: (R,) where it plans to be after 3 s, to the left [m].
        pattern: 0 if its reactions are those to the roads but for a factor, 1 if they have nothing of them.
    """

    side: np.ndarray
    pattern: float

    @property
    def size(self) -> float:
        """Root mean square of the reactions [m]."""
        return float(np.sqrt(np.mean(self.side**2)))


def roads() -> tuple[Road, ...]:
    """Return bends and places beside the middle, mirror images of each other; straight behind the ego."""
    one_side = (
        Road(ahead=0.01),
        Road(ahead=0.02),
        Road(offset=1.0),
        Road(offset=1.6),
        Road(0.015, 0.0, -0.8),
    )
    return one_side + tuple(Road(-r.ahead, -r.behind, -r.offset) for r in one_side)


def image_corrections() -> list[ImageCorrection]:
    """Return the corrections, each its own inverse."""
    return [
        ImageCorrection(
            "cameras-left-right", "left and right cameras are exchanged", _renamed(_EXCHANGED_SIDES)
        ),
        ImageCorrection(
            "cameras-front-rear", "front and rear cameras are exchanged", _renamed(_EXCHANGED_ENDS)
        ),
        ImageCorrection("images-bgr", "images are read as BGR; they are RGB", _each(lambda i: i[..., ::-1])),
        ImageCorrection("images-upside-down", "images stand on their head", _each(lambda i: i[::-1])),
        ImageCorrection("images-mirrored", "images are mirrored left to right", _each(lambda i: i[:, ::-1])),
        ImageCorrection("images-turned", "images are turned by 180 degrees", _each(lambda i: i[::-1, ::-1])),
    ]


def examine_cameras(stage: Stage) -> Finding:
    """Return what reactions to roads tell."""
    if not stage.cameras:
        return Finding(CHECK, "info", "not checked: no cameras shown")
    seen = roads()
    plain = _reaction(stage, seen, unchanged)
    if plain is None:
        return Finding(CHECK, "info", "not checked: the planner does not answer in these roads")
    if plain.size >= REACTION and plain.pattern <= UNLIKE:
        return Finding(
            CHECK,
            "ok",
            f"plans follow the road in the images ({plain.size:.2f} m, pattern off by {plain.pattern:.2f})",
        )
    tried = [(one, _reaction(stage, seen, one.change)) for one in image_corrections()]
    helpful = [
        (reaction.pattern, one, reaction)
        for one, reaction in tried
        if reaction is not None and reaction.size >= REACTION and reaction.pattern <= LIKE * plain.pattern
    ]
    if helpful:
        left, guilty, _ = min(helpful, key=lambda found: found[0])
        return Finding(
            CHECK,
            "error",
            f"plans do not follow the road in the images ({plain.size:.2f} m, pattern off by {plain.pattern:.2f}); "
            f"with this undone they do ({left:.2f})",
            "plans to the side to which the road bends or lies",
            guilty.mistake,
            guilty.meaning,
            "where Observation.images (by channel, RGB, top row first) become the network's input",
        )
    if plain.size < REACTION and _insensitive(stage, seen[1]):
        return Finding(CHECK, "info", "images are not used: black ones give the same plan")
    return Finding(
        CHECK,
        "info",
        f"plans react to images ({plain.size:.2f} m), but do not follow these simple roads (pattern off by "
        f"{plain.pattern:.2f}); no known mistake explains it",
    )


def _reaction(stage: Stage, seen: Sequence[Road], change: Change) -> Reaction | None:
    moment = Motion("straight on", SPEED).at(0.0)
    answers = [stage.show(moment, road, change) for road in seen]
    if not all(isinstance(answer, Plan) for answer in answers):
        return None
    side = np.array([_side_of(answer) for answer in answers if isinstance(answer, Plan)])
    wanted = np.array([road.middle(SPEED * LOOK) for road in seen])
    # What all roads have in common (a habit of the planner) is no reaction to one of them.
    side = side - side.mean()
    power = float(side @ side)
    if power < 1e-12:
        return Reaction(side, 1.0)
    along = max(float(side @ wanted), 0.0) ** 2 / float(wanted @ wanted)
    return Reaction(side, max(1.0 - along / power, 0.0))


def _side_of(plan: Plan) -> float:
    index = min(len(plan.poses), max(round(LOOK / plan.dt), 1)) - 1
    return float(plan.poses[index, 1])


def _insensitive(stage: Stage, road: Road) -> bool:
    def black(observation: Observation) -> Observation:
        return replace(observation, images={name: np.zeros_like(i) for name, i in observation.images.items()})

    moment = Motion("straight on", SPEED).at(0.0)
    plain, dark = stage.show(moment, road), stage.show(moment, road, black)
    return (
        isinstance(plain, Plan) and isinstance(dark, Plan) and np.allclose(plain.poses, dark.poses, atol=1e-9)
    )


def _renamed(names: Mapping[str, str]) -> Callable[[Images], dict[str, np.ndarray]]:
    return lambda images: {name: images[names.get(name, name)] for name in images}


def _each(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Images], dict[str, np.ndarray]]:
    return lambda images: {name: np.ascontiguousarray(change(image)) for name, image in images.items()}
