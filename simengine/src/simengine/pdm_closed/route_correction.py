"""A route that starts where the ego is, has no holes and crosses no junction twice.

Source: the route correction of PDM-Closed as used by NAVSIM v1.1. A route is a sequence of block ids.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

import numpy as np
import shapely

from simengine.geometry.angles import wrap
from simengine.pdm_closed.roads import Block, RoadNetwork

START_RADIUS = 1.0
START_DISTANCE = 3.0
START_HEADING_ERROR = np.pi / 4
BACKWARD_DEPTH = 15
FORWARD_DEPTH = 30
REJOIN_BLOCKS = 3
LOOP_AREA = 1.0


def correct_route(roads: RoadNetwork, route: Sequence[str], pose: np.ndarray) -> tuple[str, ...]:
    """Return the corrected route, without repetition.

    Args:
        roads: the network; every block of `route` is in it.
        route: at least one block id.
        pose: (3,) rear axle in world [m, m, rad].
    """
    start, candidates = start_blocks(roads, route, pose)
    corrected = list(route)
    if start not in corrected:
        corrected = _join(roads, corrected, start, candidates)
    return tuple(dict.fromkeys(_cut_loop(roads, _fill_holes(roads, corrected))))


def start_blocks(roads: RoadNetwork, route: Collection[str], pose: np.ndarray) -> tuple[str, list[str]]:
    """Return the block the ego drives on, and all candidates for it.

    A block is a candidate, once per lane, if a vertex of the lane is within 3 m and its heading within 45 degrees.
    Candidates on the route come first, then the others, then the block with the nearest lane.
    """
    around = _blocks_around(roads, pose)
    on_route: list[tuple[float, str]] = []
    off_route: list[tuple[float, str]] = []
    distances = []
    for block in around:
        nearest = np.inf
        for lane_id in block.lane_ids:
            line = roads.lanes[lane_id].line
            gap = np.hypot(line[:, 0] - pose[0], line[:, 1] - pose[1])
            vertex = int(np.argmin(gap))
            nearest = min(nearest, float(gap[vertex]))
            turned = abs(float(wrap(line[vertex, 2] - pose[2])))
            if turned < START_HEADING_ERROR and gap[vertex] < START_DISTANCE:
                (on_route if block.id in route else off_route).append((float(gap[vertex]), block.id))
        distances.append((nearest, block.id))
    found = on_route or off_route or distances
    return min(found, key=lambda item: item[0])[1], [block for _, block in found]


def search_blocks(
    roads: RoadNetwork, start: str, targets: Collection[str], max_depth: int, forward: bool = True
) -> list[str] | None:
    """Return the blocks from `start` to the first of `targets` met by a breadth-first search; None if none is met.

    The path is given in driving direction, also when searching backwards, and has at most `max_depth` blocks.
    """
    # The reference queues a block again for every way that leads to it, and the last way to a block at a depth wins.
    # Keeping a level once by first and once by last occurrence gives the same paths without the exponential queue.
    first, last = [start], [start]
    parents: list[dict[str, str]] = []
    for _ in range(max_depth):
        for block in first:
            if block in targets:
                return _trace(block, parents, forward)
        links = {i: _links(roads.blocks[i], forward) for i in first}
        first = list(dict.fromkeys(after for i in first for after in links[i]))
        parents.append({after: i for i in last for after in links[i]})
        last = list(dict.fromkeys(after for i in reversed(last) for after in reversed(links[i])))[::-1]
        if not first:
            break
    return None


def _links(block: Block, forward: bool) -> tuple[str, ...]:
    return block.outgoing if forward else block.incoming


def _trace(end: str, parents: list[dict[str, str]], forward: bool) -> list[str]:
    path = [end]
    for level in reversed(parents):
        path.append(level[path[-1]])
    return path[::-1] if forward else path


def _blocks_around(roads: RoadNetwork, pose: np.ndarray) -> list[Block]:
    kinds = [[b for b in roads.blocks.values() if b.is_connector is connector] for connector in (False, True)]
    x, y = float(pose[0]), float(pose[1])
    square = shapely.box(x - START_RADIUS, y - START_RADIUS, x + START_RADIUS, y + START_RADIUS)
    around = [b for kind in kinds for b in kind if shapely.intersects(b.polygon, square)]
    if around:
        return around
    here = shapely.Point(x, y)
    return [min(kind, key=lambda b: shapely.distance(b.polygon, here)) for kind in kinds if kind]


def _join(roads: RoadNetwork, route: list[str], start: str, candidates: list[str]) -> list[str]:
    before = search_blocks(roads, route[0], candidates, BACKWARD_DEPTH, forward=False)
    if before is not None:
        return before[:-1] + route
    ahead = search_blocks(roads, start, route[:REJOIN_BLOCKS], FORWARD_DEPTH)
    if ahead is not None:
        return ahead + route[route.index(ahead[-1]) + 1 :]
    return route


def _fill_holes(roads: RoadNetwork, route: list[str]) -> list[str]:
    filled = route[:1]
    for before, after in itertools.pairwise(route):
        if before not in roads.blocks[after].incoming:
            filled += (search_blocks(roads, before, [after], FORWARD_DEPTH) or [])[1:-1]
        filled.append(after)
    return filled


def _cut_loop(roads: RoadNetwork, route: list[str]) -> list[str]:
    crossed: list[shapely.Geometry] = []
    for index, block_id in enumerate(route):
        block = roads.blocks[block_id]
        if not block.is_connector:
            continue
        if any(shapely.area(shapely.intersection(other, block.polygon)) > LOOP_AREA for other in crossed):
            return route[:index]
        crossed.append(block.polygon)
    return route
