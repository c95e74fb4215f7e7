"""On-policy reinforcement learning: simulator, renderer, planner, reward and update in one process."""
