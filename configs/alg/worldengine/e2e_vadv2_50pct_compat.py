# For published VADv2 weights: computes and sees images as their evaluation did: 960 x 512 without padding, single precision.
_base_ = ['./e2e_vadv2_50pct.py']

model = dict(compat=True, autocast='', image_size=(960, 512))
train_dataloader = dict(dataset=dict(image_size=(960, 512), fix_yaw_jump=False))
val_dataloader = dict(dataset=dict(image_size=(960, 512), fix_yaw_jump=False))
