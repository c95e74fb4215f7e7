# UniAD's perception stage at reduced size: images of 320 x 180, 100 queries.
_base_ = ['./encoder_demo.py']

model = dict(
    type='UniAD',
    image_size=(320, 180),
    track_head=dict(
        type='TrackHead',
        dims={{_base_.dims}},
        heads=4,
        num_query=100,
        capacity=40,
        num_layers=3,
        points=4,
        x_range={{_base_.x_range}},
        y_range={{_base_.y_range}},
        z_range=(-2.0, 4.0),
        cell={{_base_.cell}},
        dropout=0.1,
        max_found=100,
        # Young boxes seldom overlap their objects by half; one that overlaps nothing has found another object.
        noise=dict(overlap=0.1, drop=0.1, false_positives=1.0),
        life_cycle=dict(birth=0.4, keep=0.35, tolerance=5)),
    map_head=dict(
        type='PansegformerHead',
        dims={{_base_.dims}},
        heads=4,
        points=4,
        hidden=128,
        num_queries=50,
        encoder_layers=2,
        decoder_layers=2,
        things_blocks=2,
        stuff_blocks=2,
        dropout=0.1,
        upsample=2))
