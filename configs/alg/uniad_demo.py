# UniAD's perception stage at reduced size: finds and follows objects on recordings of the built-in world.
_base_ = [
    './_base_/perception_demo.py', './_base_/perception_recordings.py', './_base_/schedule.py', './_base_/runtime.py'
]

optim_wrapper = dict(optimizer=dict(lr=1e-3), clip_grad=dict(max_norm=10.0))
train_cfg = dict(max_epochs=8, val_interval=4)
custom_hooks = [dict(type='PlainCheckpointHook')]
# The published stage starts from a detector as well.
load_from = 'experiments/uniad_demo_detect/epoch_12.pth'
