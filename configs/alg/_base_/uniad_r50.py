# UniAD's perception stage at full size: ResNet-50, BEVFormer encoder of 200 x 200 cells, 900 queries. Eight cameras of 960 x 540.
_base_ = ['./vadv2_r50.py']

area = dict(x_range=(-51.2, 51.2), y_range=(-51.2, 51.2), cell=0.512)

model = dict(
    _delete_=True,
    type='UniAD',
    compat=False,
    deformable='auto',
    image_size=(960, 540),
    detach_memory=True,
    frozen=('backbone',),
    autocast='bfloat16',
    data_preprocessor={{_base_.model.data_preprocessor}},
    backbone={{_base_.model.backbone}},
    neck={{_base_.model.neck}},
    bev_encoder={{_base_.model.bev_encoder}},
    track_head=dict(
        type='TrackHead',
        dims=256,
        heads=8,
        num_query=900,
        capacity=300,
        num_layers=6,
        points=4,
        # -5 ... 3 m around the rear axle, as published; our ego frame lies on the road, 0.38 m lower.
        z_range=(-4.62, 3.38),
        dropout=0.1,
        class_weight=2.0,
        box_weight=0.25,
        past_weight=0.0,
        noise=dict(overlap=0.5, drop=0.1, false_positives=0.3),
        life_cycle=dict(birth=0.4, keep=0.35, tolerance=5),
        max_found=300,
        **area),
    map_head=dict(
        type='PansegformerHead',
        dims=256,
        heads=8,
        points=4,
        hidden=512,
        num_queries=100,
        encoder_layers=6,
        decoder_layers=6,
        things_blocks=4,
        stuff_blocks=6,
        dropout=0.1,
        upsample=1))
