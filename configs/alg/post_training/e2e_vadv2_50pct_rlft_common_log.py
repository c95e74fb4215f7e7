# Rewards on common logs: as many normal decisions as there are failures in the rare logs, which are then dropped.
_base_ = ['./_common.py']
data = dict(rare=[{{_base_.rare}}], normal_only=True)
