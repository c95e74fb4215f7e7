# What the demo models share: 8 cameras, 1.6 m cells, an encoder that trains on two CPU cores, a head that is told what is on each cell.
x_range = (-12.8, 57.6)
y_range = (-25.6, 25.6)
cell = 1.6
dims = 64
layers = ('drivable', 'centerline', 'crosswalk', 'red_light', 'vehicle', 'person', 'obstacle', 'vehicle_1s', 'vehicle_2s')

model = dict(
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
    bev_head=dict(
        type='BEVSegmentationHead',
        dims=dims,
        layers=layers,
        positive_weight=(1.0, 3.0, 3.0, 10.0, 6.0, 10.0, 10.0, 6.0, 6.0),
        loss_weight=2.0,
        upsample=2))
