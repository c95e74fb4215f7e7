"""How a plan becomes motion: from planned poses to the states a car would really go through.

Formulas of one car: `profiles.py` fits speed and curvature to a planned path, `tracker.py` turns them into
commands, `bicycle.py` moves the car; `bind.py` lets the same code work on tensors. Batches of cars:
`reference.py`, `simulate.py`, `vocabulary.py`; `proposals.py` samples submitted poses. `tracking.py` names the
two ways of following a plan in closed loop. Tracker and vehicle are those of NAVSIM v1.1, so simulated
trajectories match it; `rules.py` says what can be put right. docs/simulation.md has the derivations.
"""
