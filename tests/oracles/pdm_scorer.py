"""The PDM score once more: one proposal, one state, one track at a time, with shapely; slow and obvious.

Written from the rules alone; it shares no arithmetic with the compiled scorer.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import shapely
from scipy.signal import savgol_filter
from shapely.geometry import LineString, Point, Polygon

from simengine.metrics.pdm.map_areas import LANE_LAYERS, Layer
from simengine.metrics.pdm.scene import PdmScene


def box(x: float, y: float, heading: float, length: float, width: float) -> Polygon:
    c, s = math.cos(heading), math.sin(heading)
    signs = ((1, 1), (-1, 1), (-1, -1), (1, -1))
    local = [(a * length / 2, b * width / 2) for a, b in signs]
    return Polygon([(x + c * u - s * v, y + s * u + c * v) for u, v in local])


class SlowScorer:
    """Scores one state sequence (S, 11) of a scene."""

    def __init__(self, scene: PdmScene, states: np.ndarray) -> None:
        self.scene, self.rules, self.states = scene, scene.parameters, states
        self.flags = [self._areas(s) for s in range(len(states))]

    def ego(self, s: int, ahead: float = 0.0) -> Polygon:
        x, y, heading = self.states[s, :3]
        vehicle = self.scene.vehicle
        forward = vehicle.rear_axle_to_center + ahead
        return box(
            x + forward * math.cos(heading),
            y + forward * math.sin(heading),
            heading,
            vehicle.length,
            vehicle.width,
        )

    def center(self, s: int) -> Point:
        return self.ego(s).centroid

    def track(self, a: int, frame: int) -> Polygon | None:
        seen = self.scene.observation
        if frame >= seen.num_frames or not seen.present[a, frame]:
            return None
        return box(*seen.pose[a, frame], *seen.size[a])

    def speed(self, s: int) -> float:
        return math.hypot(self.states[s, 3], self.states[s, 4])

    def angle(self, s: int, a: int, frame: int, ahead: float = 0.0) -> float:
        x, y, heading = self.states[s, :3]
        x, y = x + ahead * math.cos(heading), y + ahead * math.sin(heading)
        tx, ty = self.scene.observation.pose[a, frame, :2]
        if (tx, ty) == (x, y):
            return math.nan
        turn = math.atan2(ty - y, tx - x) - heading
        return math.degrees(abs(math.atan2(math.sin(turn), math.cos(turn))))

    def _polygons(self, *layers: Layer) -> list[tuple[str, shapely.Geometry]]:
        drivable = self.scene.drivable
        together = zip(drivable.ids, drivable.layers, drivable.polygons, strict=True)
        return [(name, polygon) for name, layer, polygon in together if layer in layers]

    def _areas(self, s: int) -> dict[str, bool]:
        everything = tuple(Layer)
        straddled = {"navsim": LANE_LAYERS, "connectors_carry": (Layer.LANE,), "every_polygon": everything}
        carrying = {
            "navsim": self.scene.drivable.drivable_layers,
            "connectors_carry": (*self.scene.drivable.drivable_layers, Layer.LANE_CONNECTOR),
            "every_polygon": everything,
        }
        rule = self.rules.areas
        corners = [Point(p) for p in self.ego(s).exterior.coords[:4]]
        counts = [
            sum(polygon.contains(c) for c in corners) for _, polygon in self._polygons(*straddled[rule])
        ]
        surface = self._polygons(*carrying[rule])
        lanes = self._polygons(*(everything if rule == "every_polygon" else LANE_LAYERS))
        on_route = any(p.contains(self.center(s)) for name, p in lanes if name in self.scene.route_lanes)
        rear = Point(self.states[s, :2])
        crossings = [p for _, p in self._polygons(Layer.INTERSECTION)]
        return {
            "multiple_lanes": sum(n > 0 for n in counts) > 1 and 4 not in counts,
            "non_drivable": bool(surface)
            and not all(any(p.contains(c) for _, p in surface) for c in corners),
            "oncoming": bool(self._polygons(*LANE_LAYERS)) and not on_route,
            "in_intersection": any(p.contains(rear) for p in crossings),
            "center_in_intersection": any(p.contains(self.center(s)) for p in crossings),
        }

    def collision(self) -> tuple[float, float, int]:
        """Return NC, the first at-fault frame and its track."""
        seen, rules = self.scene.observation, self.rules
        score, first, track = 1.0, math.inf, -1
        excuse: dict[int, int] = {}
        for s in range(len(self.states)):
            for a in range(len(seen.ids)):
                other = self.track(a, s)
                if other is None or not other.intersects(self.ego(s)):
                    continue
                if a in excuse and (not rules.excuse_ends_with_contact or excuse[a] == s - 1):
                    excuse[a] = s
                    continue
                if not self._at_fault(s, a, other):
                    excuse[a] = s
                    continue
                score = min(score, 0.5 if seen.is_static[a] else 0.0)
                if track < 0:
                    first, track = float(s), a
        return score, first, track

    def _at_fault(self, s: int, a: int, other: Polygon) -> bool:
        seen, rules, flags = self.scene.observation, self.rules, self.flags[s]
        if self.speed(s) <= rules.stopped_speed:
            return False
        when = s if rules.speed_at_contact else int(np.argmax(seen.present[a]))
        standing = bool(seen.is_static[a]) or math.hypot(*seen.velocity[a, when]) <= rules.stopped_speed
        behind = self.angle(s, a, s) > rules.behind_angle_deg
        if rules.harmless_from_behind and behind and self.states[s, 3] >= 0:
            return False
        if standing:
            return True
        if behind:
            return False
        corners = list(self.ego(s).exterior.coords)
        if LineString([corners[0], corners[3]]).intersects(other):
            return True
        return flags["multiple_lanes"] or flags["non_drivable"]

    def time_to_collision(self) -> tuple[float, float, int]:
        """Return TTC, the first violating frame and its track."""
        seen, rules, dt = self.scene.observation, self.rules, self.scene.dt
        stride = max(1, round(rules.ttc_step / dt))
        looks = range(0, int(rules.ttc_horizon / dt + 1e-9) + 1, stride)
        excuse: dict[int, int] = {}
        for s in range(len(self.states)):
            if rules.ttc_whole_look_ahead and s + looks[-1] >= seen.num_frames:
                break
            if self.speed(s) < rules.ttc_stopped_speed:
                continue
            flags = self.flags[s]
            exposed = flags["multiple_lanes"] or flags["non_drivable"] or flags["in_intersection"]
            for k in looks:
                ahead = k * dt * self.speed(s)
                for a in range(len(seen.ids)):
                    other = self.track(a, s + k)
                    if other is None or not other.intersects(self.ego(s, ahead)):
                        continue
                    if a in excuse and (not rules.excuse_ends_with_contact or excuse[a] >= s - 1):
                        excuse[a] = s
                        continue
                    angle = self.angle(s, a, s + k, ahead if rules.ttc_from_moved_ego else 0.0)
                    if angle < rules.ahead_angle_deg or (exposed and not angle > rules.behind_angle_deg):
                        return 0.0, float(s), a
                    excuse[a] = s
        return 1.0, math.inf, -1

    def drivable(self) -> tuple[float, float]:
        """Return DAC and the first frame off the drivable area."""
        off = [s for s, flags in enumerate(self.flags) if flags["non_drivable"]]
        return (0.0, float(off[0])) if off else (1.0, math.inf)

    def progress(self) -> float:
        """Return the metres along the centre line."""
        line = LineString(self.scene.centerline[:, :2])
        return max(line.project(self.center(len(self.states) - 1)) - line.project(self.center(0)), 0.0)

    def comfort_series(self) -> np.ndarray:
        """Return the six series (6, S), each smoothed by SciPy."""
        rules, dt, states = self.rules.comfort, self.scene.dt, self.states
        count = len(states)

        def smooth(series: np.ndarray, window: int | None, order: int, derivative: int = 0) -> np.ndarray:
            window = min(window or count, count)
            order = min(order, window - 1)
            return np.round(savgol_filter(series, window, order, deriv=derivative, delta=dt), 8)

        def jerk(series: np.ndarray) -> np.ndarray:
            return smooth(smooth(series, rules.presmoothing_window, 2), rules.jerk_window, 2, 1)

        ax, ay, heading = states[:, 5], states[:, 6], np.unwrap(states[:, 2])
        if rules.centripetal:
            ay = states[:, 3] * states[:, 9]
        size = np.hypot(jerk(ax), jerk(ay)) if rules.centripetal else jerk(np.hypot(ax, ay))
        return np.stack(
            [
                smooth(ax, rules.acceleration_window, 2),
                smooth(ay, rules.acceleration_window, 2),
                size,
                jerk(ax),
                smooth(heading, rules.yaw_window, 3, 2),
                smooth(heading, rules.yaw_window, 2, 1),
            ]
        )

    def wrong_way(self) -> float:
        """Return the most metres off the route within a second, or within one stretch."""
        centers = [self.center(s) for s in range(len(self.states))]
        steps = [0.0] + [b.distance(a) for a, b in itertools.pairwise(centers)]
        steps = [step if flags["oncoming"] else 0.0 for step, flags in zip(steps, self.flags, strict=True)]
        if self.rules.direction_rule == "window":
            width = round(self.rules.direction_window / self.scene.dt) + 1
            return max(sum(steps[max(s - width + 1, 0) : s + 1]) for s in range(len(steps)))
        most = run = 0.0
        for step, flags in zip(steps, self.flags, strict=True):
            run = run + step if flags["oncoming"] else 0.0
            most = max(most, run)
        return most
