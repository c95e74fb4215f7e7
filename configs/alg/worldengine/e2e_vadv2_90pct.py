# VADv2 by imitation on 90 % of navtrain.
_base_ = ['./e2e_vadv2_50pct.py']

train_dataloader = dict(
    dataset=dict(nav_filter_path='configs/navsim_splits/navtrain_split/navtrain_90pct.yaml'))
