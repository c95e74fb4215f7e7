"""Where the tracker is exactly NAVSIM v1.1 and where it is put right."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrackerRules:
    """The two oddities of the published tracker that can be corrected; the defaults keep both.

    Attributes:
        jerk_penalty: the speed fit penalises jerk, as intended, instead of (almost only) acceleration.
        steering_from_yaw_rate: a car that is given a yaw rate but no steering angle starts with the angle that
            explains the yaw rate, instead of with straight wheels.
    """

    jerk_penalty: bool = False
    steering_from_yaw_rate: bool = False


NAVSIM_V1 = TrackerRules()
"""The published tracker, oddities included."""

CORRECTED = TrackerRules(jerk_penalty=True, steering_from_yaw_rate=True)
"""The tracker as it was meant to be."""
