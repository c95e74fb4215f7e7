import numpy as np
import pytest
import torch

from alg_factories import CAMERAS, make_log, make_observation, make_vocabulary, tiny_model_config
from algengine import registry
from algengine.serving.memory import RememberedMap, RolloutMemory
from algengine.serving.planner import VadPlanner
from simengine.bridge.in_process import InProcessClient
from simengine.bridge.planner import Planner
from simengine.errors import PlanError

pytestmark = pytest.mark.mm


def make_planner(**options) -> VadPlanner:
    torch.manual_seed(0)
    model = registry.MODELS.build(tiny_model_config(12))
    model.head.vocabulary.copy_(torch.from_numpy(make_vocabulary(12)))
    return VadPlanner(model, "tiny", CAMERAS, keep_scores=True, **options)


def logs(count: int = 3):
    return [make_log(f"log_{i}", 4.0 + i, 0.01 * i) for i in range(count)]


def test_is_a_planner_and_answers_with_its_vocabulary():
    planner = make_planner()
    assert isinstance(planner, Planner)
    plan = planner.plan_batch([make_observation(logs(1)[0], 0)])[0]
    assert plan.poses.shape == (40, 3)
    assert plan.dt == 0.1
    assert np.array_equal(plan.poses.astype(np.float32), make_vocabulary(12)[plan.vocabulary_index])
    assert plan.scores.argmax() == plan.vocabulary_index


def test_plans_do_not_depend_on_the_company():
    together, apart = make_planner(), make_planner()
    for step in range(3):
        observations = [make_observation(log, step) for log in logs()]
        batch = together.plan_batch(observations)
        for observation, plan in zip(reversed(observations), reversed(batch), strict=True):
            alone = apart.plan_batch([observation])[0]
            assert np.array_equal(alone.scores, plan.scores)
            assert alone.vocabulary_index == plan.vocabulary_index


def test_serving_equals_the_clip_seen_in_training():
    planner, log = make_planner(), logs(1)[0]
    observations = [make_observation(log, step) for step in range(3)]
    served = [planner.plan_batch([o])[0].scores for o in observations]
    model = planner._model
    frames = [planner._collect([planner._inputs(o)]) for o in observations]
    clip = {k: torch.stack([f[k] for f in frames], dim=1) for k in frames[0]}
    for k in ("intrinsic", "cam_from_ego", "distortion"):
        clip[k] = frames[0][k]
    clip["images"] = model.data_preprocessor.normalize(clip["images"])
    clip["motion"] = torch.zeros(1, 3, 3)
    clip["motion"][0, 1:, 0] = 2.0  # 4 m/s for 0.5 s, straight on
    with torch.no_grad():
        logits = model.forward(clip, None, mode="tensor")
    for step in range(3):
        assert np.allclose(served[step], torch.log_softmax(logits[0, step], -1), atol=1e-4)


def test_memory_matters_and_can_be_forgotten():
    log = logs(1)[0]
    planner = make_planner()
    fresh = planner.plan_batch([make_observation(log, 1)])[0].scores
    planner.forget(log.token)
    planner.plan_batch([make_observation(log, 0)])
    remembered = planner.plan_batch([make_observation(log, 1)])[0].scores
    assert not np.allclose(fresh, remembered, atol=1e-5)
    again = planner.plan_batch([make_observation(log, 1)])[0].scores  # the same step, asked twice
    assert np.array_equal(remembered, again)
    planner.forget(log.token)
    planner.forget("unknown")
    assert np.array_equal(fresh, planner.plan_batch([make_observation(log, 1)])[0].scores)


def test_step_zero_starts_afresh():
    log = logs(1)[0]
    planner = make_planner()
    first = planner.plan_batch([make_observation(log, 0)])[0].scores
    planner.plan_batch([make_observation(log, 1)])
    assert np.array_equal(first, planner.plan_batch([make_observation(log, 0)])[0].scores)


def test_bad_observations_are_one_sentence():
    planner, log = make_planner(), logs(1)[0]
    good = make_observation(log, 0)
    blind = make_observation(log, 0, images={"CAM_F0": good.images["CAM_F0"]})
    with pytest.raises(PlanError, match="render that rig"):
        planner.plan_batch([blind])


def test_other_image_sizes_are_resized():
    planner = make_planner()
    large = make_log("large", size_px=(128, 72))
    assert planner.plan_batch([make_observation(large, 0)])[0].poses.shape == (40, 3)


def test_works_through_the_bridge_interface():
    client = InProcessClient(make_planner())
    assert client.plan(make_observation(logs(1)[0], 0)).vocabulary_index is not None
    client.close()


def test_memory_keeps_two_steps():
    memory = RolloutMemory()
    for step in range(4):
        memory.keep("a", RememberedMap(step, np.zeros(3), torch.zeros(1)))
    assert memory.previous("a", 4).step == 3
    assert memory.previous("a", 3).step == 2
    assert memory.previous("a", 2) is None
    assert memory.previous("b", 2) is None
    assert memory.previous("a", 0) is None
    assert len(memory) == 0
