"""The convention doctor: which axis, unit, rate, frame, order or camera a planner has wrong, told from its plans.

Known motions (`motions.py`) and roads (`road.py`) are shown to the planner (`target.py`). Each mistake that planners
make is a *correction*: of its plans (`corrections.py`), of what it is told (`inputs.py`) or of its images
(`cameras.py`). The correction after which the plans make sense names the mistake; a planner whose plans make sense as
they are needs none. `protocol.py` checks what needs no motion: shapes, repeatability, sessions.
"""
