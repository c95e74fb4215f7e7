# The perception stage on half of navtrain, for twice as many epochs.
_base_ = ['../navformer/track_map_nuplan_r50_navtrain.py']

train_dataloader = dict(
    dataset=dict(nav_filter_path='configs/navsim_splits/navtrain_split/navtrain_50pct.yaml'))
train_cfg = dict(max_epochs=40, val_interval=40)
