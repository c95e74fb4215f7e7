# HydraMDP: VADv2 that also learns the PDM sub-scores of every plan and ranks plans by them.
_base_ = ['./e2e_vadv2.py']

model = dict(head=dict(sub_scores=True))
