# UniAD's perception stage on two CPU cores: the encoder of the shipped vadv2_demo is frozen and encodes each drive once; the heads learn.
_base_ = ['./uniad_demo.py']

model = dict(frozen=('backbone', 'neck', 'bev_encoder'), bev_head=None)
map_cache = dict(root='data/alg_engine/map_cache')
train_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(label_grid=None))
val_dataloader = dict(num_workers=0, persistent_workers=False)
