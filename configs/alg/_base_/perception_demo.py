# UniAD's perception stage at reduced size: 8 cameras of 320 x 180, 100 queries; backbone, neck and encoder as in vadv2_demo.
x_range = (-12.8, 57.6)
y_range = (-25.6, 25.6)
cell = 1.6
dims = 64
layers = ('drivable', 'centerline', 'crosswalk', 'red_light', 'vehicle', 'person', 'obstacle', 'vehicle_1s', 'vehicle_2s')

model = dict(
    type='UniAD',
    image_size=(320, 180),
    autocast='bfloat16',
    data_preprocessor=dict(type='PlanningDataPreprocessor', pad_divisor=32, brightness=0.15),
    backbone=dict(
        type='mmdet.ResNet',
        depth=18,
        base_channels=16,
        stem_channels=16,
        out_indices=(1, 2, 3),
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        style='pytorch'),
    neck=dict(type='mmdet.FPN', in_channels=[32, 64, 128], out_channels=dims, num_outs=3),
    bev_encoder=dict(
        type='BEVEncoder',
        dims=dims,
        heads=4,
        levels=3,
        num_layers=2,
        num_cameras=8,
        heights=(0.0, 1.0, 3.0),
        x_range=x_range,
        y_range=y_range,
        cell=cell,
        dropout=0.1),
    track_head=dict(
        type='TrackHead',
        dims=dims,
        heads=4,
        num_query=100,
        capacity=40,
        num_layers=3,
        points=4,
        x_range=x_range,
        y_range=y_range,
        z_range=(-2.0, 4.0),
        cell=cell,
        dropout=0.1,
        max_found=100,
        # Young boxes seldom overlap their objects by half; a query that has found its object follows it.
        noise=dict(overlap=0.0, drop=0.1, false_positives=0.3),
        life_cycle=dict(birth=0.4, keep=0.35, tolerance=5)),
    map_head=dict(
        type='PansegformerHead',
        dims=dims,
        heads=4,
        points=4,
        hidden=128,
        num_queries=50,
        encoder_layers=2,
        decoder_layers=2,
        things_blocks=2,
        stuff_blocks=2,
        dropout=0.1,
        upsample=2),
    bev_head=dict(
        type='BEVSegmentationHead',
        dims=dims,
        layers=layers,
        positive_weight=(1.0, 3.0, 3.0, 10.0, 6.0, 10.0, 10.0, 6.0, 6.0),
        loss_weight=2.0,
        upsample=2))
