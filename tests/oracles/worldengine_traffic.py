"""Reactive traffic of the published loop in plain Python, one agent at a time, written from its description alone.

Agents decide from the same state; everything else is as published.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

VEHICLE, PEDESTRIAN, CYCLIST, CZONE_SIGN = 0, 1, 2, 5


def lane_from(points):
    """Return corners at least a metre apart; the rest of less than a metre is lost."""
    corners = [tuple(map(float, points[0][:2]))]
    for x, y in ((p[0], p[1]) for p in points[1:]):
        if math.dist(corners[-1], (x, y)) >= 1.0:
            corners.append((float(x), float(y)))
    return corners if len(corners) > 1 else None


def lane_length(lane):
    return sum(math.dist(a, b) for a, b in itertools.pairwise(lane))


def frenet(lane, x, y):
    """Return arc length and offset to the right in the frame of the nearest piece."""
    best = None
    done = 0.0
    for (ax, ay), (bx, by) in itertools.pairwise(lane):
        size = math.dist((ax, ay), (bx, by))
        ux, uy = (bx - ax) / size, (by - ay) / size
        forward = (x - ax) * ux + (y - ay) * uy
        right = (x - ax) * uy - (y - ay) * ux
        outside = max(-forward, 0.0, forward - size)
        distance = math.hypot(outside, right)
        if best is None or distance < best[0] - 1e-9:
            best = (distance, done + forward, right)
        done += size
    return best[1], best[2]


def place(lane, s, right):
    """Return x, y and heading at an arc length, `right` to the right of the lane."""
    pieces = list(itertools.pairwise(lane))
    done = 0.0
    for k, ((ax, ay), (bx, by)) in enumerate(pieces):
        size = math.dist((ax, ay), (bx, by))
        if s < done + size - 1e-9 or k == len(pieces) - 1:
            ux, uy = (bx - ax) / size, (by - ay) / size
            return ax + (s - done) * ux + right * uy, ay + (s - done) * uy - right * ux, math.atan2(uy, ux)
        done += size
    raise AssertionError


@dataclass
class Agent:
    """One created agent."""

    row: int
    x: float
    y: float
    heading: float
    speed: float
    velocity: tuple
    sized: bool
    dynamic: bool
    lanes: list = field(default_factory=list)

    def lane(self):
        for k, lane in enumerate(self.lanes[:-1]):
            if frenet(lane, self.x, self.y)[0] < (0.9 if k == 0 else 1.0) * lane_length(lane):
                return lane
        return self.lanes[-1]


class PublishedTraffic:
    """The agents of a scenario, stepped together."""

    def __init__(self, scenario, frame, ego):
        self.scenario, self.frame = scenario, frame
        self.lanes = {k: lane_from(lane.centerline) for k, lane in scenario.map.lanes.items()}
        self.lanes = {k: lane for k, lane in self.lanes.items() if lane}
        self.agents = {}
        self._spawn(frame)

    def _spawn(self, frame):
        log = self.scenario.agents
        for row in range(log.num_agents):
            if log.types[row] in (PEDESTRIAN, CYCLIST, CZONE_SIGN) or row in self.agents:
                continue
            if frame < log.num_frames and log.valid[row, frame]:
                x, y, heading = map(float, log.pose[row, frame])
                velocity = tuple(map(float, log.velocity[row, frame]))
                agent = Agent(
                    row,
                    x,
                    y,
                    heading,
                    math.hypot(*velocity),
                    velocity,
                    log.size[row, 0] > 0,
                    self._dynamic(row),
                )
                agent.lanes = self._itinerary(row)
                self.agents[row] = agent

    def _dynamic(self, row):
        log = self.scenario.agents
        if log.types[row] != VEHICLE:
            return False
        seen = [log.pose[row, t] for t in range(log.num_frames) if log.valid[row, t]]
        spreads = []
        for axis in (0, 1):
            mean = sum(p[axis] for p in seen) / len(seen)
            spreads.append(math.sqrt(sum((p[axis] - mean) ** 2 for p in seen) / len(seen)))
        return max(spreads) > 3.0

    def _itinerary(self, row):
        log = self.scenario.agents
        seen = [log.pose[row, t] for t in range(log.num_frames) if log.valid[row, t]]
        own = lane_from(seen)
        if own is None:
            return []
        found, name = [own], None
        if self.lanes:

            def away(k):
                along, right = frenet(self.lanes[k], seen[-1][0], seen[-1][1])
                return abs(right) + max(-along, 0.0) + max(along - lane_length(self.lanes[k]), 0.0)

            name = min(self.lanes, key=away)
        met = set()
        while name in self.lanes and name not in met:
            met.add(name)
            found.append(self.lanes[name])
            exits = self.scenario.map.lanes[name].successors
            name = exits[0] if exits else None
        return found

    def step(self, ego_x, ego_y, ego_heading, ego_speed):
        """Advance everybody; the ego is given by its box centre now."""
        crowd = [(a.x, a.y, a.heading, a.speed, a.sized, a.row) for a in self.agents.values()]
        crowd.append((ego_x, ego_y, ego_heading, ego_speed, True, None))
        moved = {row: self._drive(a, crowd) for row, a in self.agents.items() if a.dynamic}
        self.frame += 1
        log, k = self.scenario.agents, self.frame
        for row in list(self.agents):
            agent = self.agents[row]
            if agent.dynamic:
                agent.x, agent.y, agent.heading, agent.velocity = moved[row]
            elif k < log.num_frames and log.valid[row, k]:
                agent.x, agent.y, agent.heading = map(float, log.pose[row, k])
                agent.velocity = tuple(map(float, log.velocity[row, k]))
            else:
                del self.agents[row]
                continue
            agent.speed = math.hypot(*agent.velocity)
        self._spawn(k)

    def _drive(self, agent, crowd):
        lane = agent.lane()
        s, right = frenet(lane, agent.x, agent.y)
        lead = None
        for x, y, heading, speed, sized, row in crowd:
            if row == agent.row or not sized:
                continue
            other_s, other_right = frenet(lane, x, y)
            turn = math.atan2(math.sin(heading - agent.heading), math.cos(heading - agent.heading))
            if abs(other_right - right) <= 2.0 and abs(turn) <= math.pi / 2 + 1e-9 and other_s > s:
                found = (math.dist((x, y), (agent.x, agent.y)), speed)
                lead = found if lead is None else min(lead, found)
        v = agent.speed * 3.6
        a = 2.5 * (1 - min(v / 35, 1) ** 4)
        if lead is not None:
            ahead = lead[1] * 3.6
            a += -2.5 * ((10 + max(0, 1.5 * v + v * (v - ahead) / (2 * 2.5))) / lead[0]) ** 2
        elif v >= 35:
            a += -2.5 * (v - 35) / 35
        a = max(-2.5, min(2.5, a))
        if v < 0.008 and (15 if lead is None else lead[0]) < 10.5:
            a = 0
        at = [place(lane, s + agent.speed * t + 0.5 * a * t * t, right) for t in (0.0, 0.5, 1.0)]
        velocity = ((at[2][0] - at[1][0]) / 0.5, (at[2][1] - at[1][1]) / 0.5)
        return (*at[1], velocity)
