"""Rare cases: the scenarios of a split in which a planner fails, found in its score table.

`split_file.py` reads and writes splits, `rules.py` decides, `report.py` says what was chosen and why.
"""
