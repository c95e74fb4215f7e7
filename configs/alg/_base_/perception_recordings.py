# Clips of four decisions from recordings of the built-in world, with objects and maps; whole drives for validation.
_base_ = ['./data.py']

area = dict(x_range=(-12.8, 57.6), y_range=(-25.6, 25.6))
grid = dict(cell=0.8, **area)

train_dataloader = dict(
    num_workers=6,
    dataset=dict(
        clip_stride=2,
        image_size=(320, 180),
        objects=area,
        map_grid=grid,
        perturbation=dict(yaw=0.05, min_speed=0.0)))

val_dataloader = dict(
    batch_size=2,
    num_workers=4,
    dataset=dict(
        clip_length=12,
        clip_stride=12,
        image_size=(320, 180),
        objects=area,
        map_grid=grid))
val_evaluator = dict(_delete_=True, type='PerceptionMetric')
