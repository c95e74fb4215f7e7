# VADv2 at reduced size: images of 192 x 108, a vocabulary of 256 plans.
_base_ = ['./encoder_demo.py']

model = dict(
    type='VADv2',
    image_size=(192, 108),
    head=dict(
        type='TrajectoryScoringHead',
        vocabulary_size=256,
        num_poses=40,
        dims={{_base_.dims}},
        heads=4,
        num_layers=2,
        steps=8,
        points=1,
        x_range={{_base_.x_range}},
        y_range={{_base_.y_range}},
        cell={{_base_.cell}},
        soft=True,
        temperature=2.0,
        past_dropout=0.5,
        dropout=0.1))
