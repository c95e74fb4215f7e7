import itertools

import numpy as np
import pytest
import torch

from algengine.datasets.frames import camera_inputs
from algengine.models.bev.grid import BEVGrid
from algengine.models.bev.projection import CameraRig, distort, project, view_cells
from simengine.render.lens import Lens
from simengine.render.rig import nuplan_rig

pytestmark = pytest.mark.mm


def rig_of(*shifts, size=(320, 180)) -> CameraRig:
    rows = [camera_inputs(nuplan_rig(*size), size, shift) for shift in shifts]
    stacked = {k: torch.from_numpy(np.stack([row[k] for row in rows])) for k in rows[0]}
    return CameraRig(**stacked, image_size=size, padded_size=(320, 192))


def test_front_camera_by_hand():
    # One camera at the origin looking along x: u = cx - f y / x, v = cy - f z / x.
    ego_from_cam = torch.tensor([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    rig = CameraRig(
        torch.tensor([[100.0, 0, 160], [0, 100, 90], [0, 0, 1]])[None, None],
        torch.linalg.inv(ego_from_cam)[None, None],
        torch.zeros(1, 1, 5),
        (320, 180),
        (320, 192),
    )
    points = torch.tensor([[10.0, 0, 0], [10, 5, 1], [10, 20, 0], [-10, 0, 0]])
    pixels, visible = project(points, rig)
    assert torch.allclose(pixels[0, 0, :2], torch.tensor([[160.0, 90], [110, 80]]))
    assert visible[0, 0].tolist() == [True, True, False, False]


def test_distortion_by_hand_and_its_limit():
    bent, trusted = distort(torch.tensor([[0.5, 0.0], [3.0, 0.0]]), torch.tensor([-0.1, 0.0, 0.0, 0.01, 0.0]))
    # radial 1 - 0.1 * 0.25, tangential p2 (r2 + 2 x x) = 0.01 * 0.75
    assert torch.allclose(bent[0], torch.tensor([0.5 * 0.975 + 0.0075, 0.0]))
    assert trusted.tolist() == [True, False]  # 1 - 0.3 * 9 < 0


def test_lenses_of_all_coefficients_bend_as_the_renderer_draws_them():
    lens = [-0.2, 0.05, 0.002, -0.001, 0.01, 0.1, -0.02, 0.003, 0.004, -0.002, 0.003, 0.001]
    points = np.random.default_rng(0).uniform(-0.9, 0.9, (100, 2))
    for count in (5, 8, 12):
        bent, trusted = distort(torch.from_numpy(points), torch.tensor(lens[:count], dtype=torch.float64))
        np.testing.assert_allclose(bent, Lens.from_opencv(lens[:count]).distort(points), atol=1e-14)
        assert trusted.all()


@pytest.mark.parametrize(
    "lens", [[-0.3, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0.5, 0.4, 0], [0, 0, 0, 0, 0, -0.5, 0, 0]]
)
def test_no_lens_is_trusted_beyond_its_fold(lens):
    fold = Lens.from_opencv(lens).fold_radius
    radii = torch.tensor([0.99, 1.01], dtype=torch.float64) * fold
    _, trusted = distort(torch.stack([radii, 0 * radii], dim=-1), torch.tensor(lens, dtype=torch.float64))
    assert trusted.tolist() == [True, False]


def test_pairs_are_exactly_the_visible_ones():
    grid, heights = BEVGrid(cell=6.4), torch.tensor([0.0, 1.5])
    rig = rig_of(None)
    views = view_cells(grid.centers(), heights, rig)
    points = torch.cat(
        [grid.centers()[:, None].expand(-1, 2, 2), heights.view(1, 2, 1).expand(grid.num_cells, 2, 1)], dim=-1
    )
    pixels, visible = project(points, rig)
    wanted = {(n, p) for n, p in visible[0].any(-1).nonzero().tolist()}
    got = list(
        zip(views.cameras[0][views.seen[0]].tolist(), views.cells[0][views.seen[0]].tolist(), strict=True)
    )
    assert len(got) == len(wanted) and set(got) == wanted
    assert torch.equal(views.count[0], visible[0].any(-1).sum(0))
    assert got == sorted(got, key=lambda pair: pair[::-1])  # cell after cell
    edges = views.starts[0].tolist()
    assert all(views.cells[0, a:b].eq(i).all() for i, (a, b) in enumerate(itertools.pairwise(edges)))
    assert edges[-1] == len(wanted)
    camera, cell = got[0]
    assert torch.allclose(
        views.places[0, 0, 0] * torch.tensor([320.0, 192.0]), pixels[0, camera, cell, 0], atol=1e-3
    )


def test_each_sample_has_its_own_mask():
    grid, heights = BEVGrid(cell=6.4), torch.tensor([0.0])
    turned = np.array([0.0, 0.0, 0.8])
    both = view_cells(grid.centers(), heights, rig_of(None, turned))
    for i, shift in enumerate((None, turned)):
        alone = view_cells(grid.centers(), heights, rig_of(shift))
        assert torch.equal(both.count[i], alone.count[0])
        assert torch.equal(both.cells[i][both.seen[i]], alone.cells[0][alone.seen[0]])
    assert not torch.equal(both.count[0], both.count[1])


def test_a_point_straight_ahead_is_in_the_front_camera():
    pixels, visible = project(torch.tensor([[30.0, 0.0, 1.0]]), rig_of(None))
    assert visible[0, 0, 0]
    assert abs(pixels[0, 0, 0, 0].item() - 160.0) < 1.0
    assert not visible[0, 7, 0]  # the rear camera
