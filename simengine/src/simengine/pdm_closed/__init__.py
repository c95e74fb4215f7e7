"""PDM-Closed: the rule-based planner that drives, serves as expert and is the yardstick of progress."""
