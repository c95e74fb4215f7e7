# Rewards on the first decision of rare rollouts: the state of the log, seen through rendered images.
_base_ = ['./_common.py']
data = dict(rollouts=[{{_base_.rollout}}], filter='v2', include_real_failures=False)
