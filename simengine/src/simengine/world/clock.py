"""When things happen in a generated log."""

from __future__ import annotations

DT = 0.1
HISTORY_FRAMES = 15
NUM_FRAMES = 116
# Of the first decision.
INITIAL_TIME = HISTORY_FRAMES * DT
