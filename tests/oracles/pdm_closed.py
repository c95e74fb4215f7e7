"""PDM-Closed's searches and unrolling written down as the reference says them: lists, shapely, no shortcuts."""

from __future__ import annotations

from collections import deque

import numpy as np
import shapely

from simengine.geometry import boxes
from simengine.geometry.se2 import shift_forward


def search_blocks(links, start, targets, max_depth):
    """Return the path of a breadth-first search that queues a block again for every way that leads to it.

    `links` maps a block to its neighbours. None if no target is met within `max_depth` blocks.
    """
    queue, depth, parent = deque([start, None]), 1, {(start, 1): None}
    while queue:
        block = queue.popleft()
        if depth > max_depth:
            return None
        if block is None:
            depth += 1
            queue.append(None)
            if queue[0] is None:
                return None
            continue
        if block in targets:
            path = [block]
            while parent[block, depth] is not None:
                block, depth = parent[block, depth], depth - 1
                path.append(block)
            return path[::-1]
        for after in links[block]:
            queue.append(after)
            parent[after, depth + 1] = block
    return None


def cheapest_path(start, goals, successors, cost):
    """Return the path of Dijkstra's search over plain lists, in which the first of equally cheap nodes goes first."""
    queue, parent, expanded = [[1.0, start, 1]], {start: None}, []
    while queue:
        at = min(range(len(queue)), key=lambda i: queue[i][0])
        price, here, depth = queue.pop(at)
        if here in goals:
            end = here
            break
        expanded.append((price, here, depth))
        for after in successors[here]:
            open_nodes = [node for _, node, _ in queue]
            if after in [node for _, node, _ in expanded]:
                continue
            if after not in open_nodes:
                queue.append([price + cost[after], after, depth + 1])
                parent[after] = here
            elif price + cost[after] < queue[open_nodes.index(after)][0]:
                queue[open_nodes.index(after)] = [price + cost[after], after, depth + 1]
                parent[after] = here
    else:
        deepest = max(depth for _, _, depth in expanded)
        end = min((item for item in expanded if item[2] == deepest), key=lambda item: item[0])[1]
    path = []
    while end is not None:
        path.append(end)
        end = parent[end]
    return path[::-1]


def unroll(path, targets, state, obstacles, parameters, vehicle, frames):
    """Return arc length and speed (K, frames, 2), leading objects (K, frames, 3) and poses (K, frames, 3).

    Args:
        path: a `DrivePath`.
        targets: speeds on a free road.
        state: ego state (11,).
        obstacles: for each forecast frame a list of (polygon, heading, speed), in the order of the index;
            speed is None for a red light. All of them are in the corridor.
        parameters: `PdmClosedParameters`.
        vehicle: dimensions.
        frames: number of frames.
    """
    p, count = parameters, len(targets)
    idm, lead, poses = (np.zeros((count, frames, width)) for width in (2, 3, 3))
    idm[:, 0] = path.line.project(shapely.Point(state[:2])), state[3]
    poses[:, 0] = path.interpolate(idm[:, 0, 0])
    for i in range(1, frames):
        refreshed = i % p.refresh_every == 0 or (p.fresh_leads and i == 1)
        record = np.zeros(3)
        for k in range(count):
            x, v = idm[k, i - 1]
            if not refreshed:
                lead[k, i] = lead[k, i - 1]
                continue
            if p.fresh_leads:
                record = np.zeros(3)
            center = shift_forward(poses[k, i - 1], vehicle.rear_axle_to_center)
            ego = shapely.Polygon(boxes.corners(center, vehicle.length, vehicle.width))
            ahead = [o for o in obstacles[i // p.refresh_every] if path.line.project(o[0].centroid) > x]
            if ahead:
                gaps = [ego.distance(polygon) for polygon, _, _ in ahead]
                nearest = int(np.argmin(gaps))
                record[0] = x + gaps[nearest]
                _, heading, speed = ahead[nearest]
                if speed is not None:
                    record[1] = speed * np.cos(heading - poses[k, i - 1, 2])
            else:
                record[0], record[2] = path.length, vehicle.length / 2
            lead[k, i] = record
        for k in range(count):
            x, v = idm[k, i - 1]
            lead_x, lead_v, lead_rear = lead[k, i]
            wanted = p.min_gap + v * p.headway
            wanted += v * (v - lead_v) / (2 * np.sqrt(p.max_acceleration * p.max_deceleration))
            gap = max(lead_x - x - lead_rear, p.min_gap)
            a = p.max_acceleration * (1 - (v / targets[k]) ** p.exponent - (wanted / gap) ** 2)
            a = 0.0 if abs(a) < p.acceleration_deadband else a
            a = np.clip(a, -p.max_deceleration, p.max_acceleration)
            idm[k, i] = x + p.dt * v, v + p.dt * a
            poses[k, i] = path.interpolate(idm[k, i, 0])
    return idm, lead, poses
