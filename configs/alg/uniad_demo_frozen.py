# UniAD's perception stage on two CPU cores: the encoder stays that of the shipped vadv2_demo and encodes each drive once; the heads learn.
_base_ = ['./uniad_demo.py']

model = dict(
    frozen=('backbone', 'neck', 'bev_encoder'),
    bev_head=None,
    # Of a detector's boxes one that overlaps nothing has found another object.
    track_head=dict(noise=dict(overlap=0.1, false_positives=1.0)))
load_from = 'experiments/uniad_demo_detect/epoch_12.pth'
map_cache = dict(root='data/alg_engine/map_cache')
optim_wrapper = dict(optimizer=dict(lr=5e-4))
train_cfg = dict(max_epochs=12, val_interval=4)
train_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(label_grid=None))
val_dataloader = dict(num_workers=0, persistent_workers=False)
