"""How a plan becomes motion: pure functions from states and plans to the next states.

`reference.py` fits speed and curvature to a planned path, `lqr.py` turns them into commands,
`kinematic_bicycle.py` moves the car, `simulate.py` chains them; `tracking.py` names the two ways of
following a plan. Tracker and vehicle are those of NAVSIM v1.1, so simulated trajectories match it.
"""
