# VADv2 by imitation of all of navtrain with soft targets.
_base_ = ['../_base_/vadv2_r50.py', '../_base_/openscene.py', '../_base_/imitation_8e.py', '../_base_/runtime.py']

model = dict(head=dict(soft=True))
load_from = 'data/alg_engine/ckpts/track_map_nuplan_r50_navtrain_100pct_bs1x8.pth'
