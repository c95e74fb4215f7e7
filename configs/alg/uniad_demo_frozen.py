# UniAD's perception stage on two CPU cores: the encoder stays that of the shipped vadv2_demo and encodes each drive once; the heads learn.
_base_ = ['./uniad_demo.py']

model = dict(frozen=('backbone', 'neck', 'bev_encoder'), bev_head=None)
map_cache = dict(root='data/alg_engine/map_cache')
optim_wrapper = dict(optimizer=dict(lr=5e-4))
train_cfg = dict(max_epochs=12, val_interval=4)
train_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(label_grid=None))
val_dataloader = dict(num_workers=0, persistent_workers=False)
