# VADv2 at full size: ResNet-50, BEVFormer encoder of 200 x 200 cells, 8192 plans. Eight cameras of 960 x 540.
# compat=True computes as published, for published weights with a planning head; see docs/weights.md.
dims = 256
area = dict(x_range=(-51.2, 51.2), y_range=(-51.2, 51.2), cell=0.512)

model = dict(
    type='VADv2',
    compat=False,
    deformable='auto',
    image_size=(960, 540),
    supervised='last',
    frozen=('backbone',),
    autocast='bfloat16',
    data_preprocessor=dict(
        type='PlanningDataPreprocessor',
        mean=(103.53, 116.28, 123.675),
        std=(1.0, 1.0, 1.0),
        bgr=True,
        pad_divisor=32,
        photometric=True,
        grid_mask=0.7),
    backbone=dict(
        type='ResNet',
        depth=50,
        num_stages=4,
        out_indices=(1, 2, 3),
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        style='caffe'),
    neck=dict(
        type='mmdet.FPN',
        in_channels=[512, 1024, 2048],
        out_channels=dims,
        num_outs=4,
        add_extra_convs='on_output',
        relu_before_extra_convs=True),
    bev_encoder=dict(
        type='BEVEncoder',
        dims=dims,
        heads=8,
        levels=4,
        num_layers=6,
        num_cameras=8,
        # -4.5 ... 2.5 m above the rear axle, as published; our ego frame lies on the road, 0.38 m lower.
        heights=(-4.12, -1.7867, 0.5467, 2.88),
        points=2,
        shared_value=True,
        constant_present=True,
        can_bus=True,
        dropout=0.1,
        **area),
    head=dict(
        type='TrajectoryScoringHead',
        vocabulary_size=8192,
        num_poses=40,
        dims=dims,
        hidden=1024,
        heads=8,
        num_layers=3,
        steps=8,
        points=4,
        sub_scores=False,
        soft=False,
        label_smoothing=0.2,
        temperature=1.0,
        past_dropout=0.0,
        dropout=0.1,
        **area))
