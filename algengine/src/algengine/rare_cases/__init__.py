"""Rare cases: the scenarios of a split in which a planner fails, found in its score table.

`rules.py` decides, `extract.py` writes the splits, `report.py` says what was chosen and why.
"""
