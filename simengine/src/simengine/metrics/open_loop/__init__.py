"""The open-loop evaluation of NAVSIM: one plan from the logged instant, tracked by a car, among logged traffic.

`record.py` makes an episode of a plan, `score.py` scores it with the PDM score and `extended.py` with the extended one.
"""
