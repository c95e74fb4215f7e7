# The detector that UniAD's perception stage at reduced size begins with: single frames, nobody is followed.
_base_ = ['./uniad_demo_frozen.py']

model = dict(map_head=None, track_head=dict(life_cycle=dict(birth=1.0, keep=1.0)))
# The planner's encoder has seen the same drives.
load_from = 'algengine/src/algengine/assets/vadv2_demo/weights.pth'
optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_dataloader = dict(batch_size=32, dataset=dict(clip_length=1, clip_stride=1, map_grid=None))
val_dataloader = dict(dataset=dict(map_grid=None))
