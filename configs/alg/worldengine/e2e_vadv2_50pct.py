# VADv2 by imitation on half of navtrain, from the perception stage trained on the same half.
_base_ = ['../_base_/vadv2_r50.py', '../_base_/openscene.py', '../_base_/imitation_8e.py', '../_base_/runtime.py']

train_dataloader = dict(
    dataset=dict(nav_filter_path='configs/navsim_splits/navtrain_split/navtrain_50pct.yaml'))
load_from = 'data/alg_engine/ckpts/track_map_nuplan_r50_navtrain_50pct_bs1x8.pth'
