# Rewards on rare logs and as many normal decisions; failures are not imitated.
_base_ = ['./_common.py']
data = dict(rare=[{{_base_.rare}}])
