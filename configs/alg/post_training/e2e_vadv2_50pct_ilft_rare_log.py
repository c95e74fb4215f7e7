# Supervised on rare logs: the driven future of failures and of normal decisions is imitated, nothing is rewarded.
_base_ = ['./_common.py']
data = dict(rare=[{{_base_.rare}}])
objective = dict(_delete_=True, type='published', rl=False)
