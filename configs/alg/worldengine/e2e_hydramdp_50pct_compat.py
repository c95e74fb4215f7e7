# For published weights with sub-score heads (post-trained by reinforcement), as their evaluation computed.
_base_ = ['./e2e_vadv2_50pct_compat.py']

model = dict(head=dict(sub_scores=True))
