# The perception stage on all of navtrain: objects are found and followed, the map is segmented. Eight GPUs of one clip.
_base_ = [
    '../_base_/uniad_r50.py', '../_base_/perception_openscene.py', '../_base_/imitation_8e.py', '../_base_/runtime.py'
]

auto_scale_lr = dict(base_batch_size=8)
train_cfg = dict(max_epochs=20, val_interval=20)
find_unused_parameters = True
load_from = 'data/alg_engine/ckpts/bevformerv2-r50-t1-base_epoch_48.pth'
