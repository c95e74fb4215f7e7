# Rewards where the planner's own rollouts of rare cases went wrong, and on the rare logs.
_base_ = ['./_common.py']
data = dict(rare=[{{_base_.rare}}], rollouts=[{{_base_.rollout}}], filter='v1')
