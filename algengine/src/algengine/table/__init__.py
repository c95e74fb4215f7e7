"""The table of post-training: every recipe from one base planner, tested open and closed loop on held-out splits."""
