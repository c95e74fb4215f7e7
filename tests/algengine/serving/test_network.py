import copy

import numpy as np
import pytest
import torch

from alg_factories import CAMERAS, make_log, make_observation, make_vocabulary, tiny_model_config
from algengine import registry
from algengine.serving.memory import RememberedMap, RolloutMemory
from algengine.serving.network import FrameNetwork
from algengine.serving.planner import VadPlanner
from simengine.errors import ConfigError

pytestmark = pytest.mark.mm


def make_model(**head):
    torch.manual_seed(0)
    config = tiny_model_config(12)
    config["head"] |= head
    model = registry.MODELS.build(config)
    model.head.vocabulary.copy_(torch.from_numpy(make_vocabulary(12)))
    return model


def drive(planner: VadPlanner, rollouts: int = 2, steps: int = 3) -> np.ndarray:
    logs = [make_log(f"log_{i}", 4.0 + i, 0.01 * i) for i in range(rollouts)]
    plans = [planner.plan_batch([make_observation(log, step) for log in logs]) for step in range(steps)]
    return np.stack([[plan.scores for plan in batch] for batch in plans])


def planner_of(model, **options) -> VadPlanner:
    return VadPlanner(model, "tiny", CAMERAS, keep_scores=True, **options)


@pytest.fixture
def calls():
    """Counts calls of a model's parts."""
    counts: dict[str, int] = {}

    def watch(owner, name):
        function = getattr(owner, name)

        def counted(*args, **options):
            counts[name] = counts.get(name, 0) + 1
            return function(*args, **options)

        setattr(owner, name, counted)

    return counts, watch


def test_constant_parts_are_computed_once_and_change_nothing(calls):
    counts, watch = calls
    model = make_model(sub_scores=True)
    watch(model.head.encoder, "forward")
    watch(model, "view")
    kept = drive(planner_of(model))
    assert counts == {"forward": 1, "view": 1}

    again = make_model(sub_scores=True)
    planner = planner_of(again)
    embed = again.head.embed_vocabulary

    def anew():
        again.head._cached = None
        return embed()

    again.head.embed_vocabulary = anew
    planner._network._rigs = NothingKept()
    assert np.array_equal(drive(planner), kept)
    assert planner._network._rigs.made == 6


class NothingKept(dict):
    """A store that forgets what it was given as soon as it is looked up elsewhere."""

    made = 0

    def __contains__(self, key):
        return False

    def __setitem__(self, key, value):
        self.made += 1
        super().__setitem__(key, value)

    def move_to_end(self, key):
        pass


def test_a_batch_of_equal_rigs_sees_as_each_alone():
    network = FrameNetwork(make_model(), torch.device("cpu"))
    planner = planner_of(network.model)
    one = planner._inputs(make_observation(make_log("a"), 0))
    batch = planner._collect([one, one])
    shared = network.views(batch, [b"rig", b"rig"], (64, 36))
    apart = network.views(batch, [b"a", b"b"], (64, 36))
    for name in ("cells", "cameras", "seen", "places", "count"):
        assert torch.equal(getattr(shared, name), getattr(apart, name)), name
    assert set(network._rigs) == {b"rig"}
    for i in range(40):
        network.views(batch, [bytes([i])] * 2, (64, 36))
    assert len(network._rigs) == 16


@pytest.mark.slow
def test_compiled_parts_score_as_before():
    model = make_model()
    plain = drive(planner_of(copy.deepcopy(model)))
    compiled = drive(planner_of(model, accelerate="compile", compiler="eager"))
    assert np.allclose(plain, compiled, atol=1e-5)
    torch._dynamo.reset()


def test_graphs_do_nothing_on_the_cpu():
    model = make_model()
    assert np.array_equal(
        drive(planner_of(copy.deepcopy(model))), drive(planner_of(model, accelerate="graphs"))
    )


def test_tensors_are_seen_as_arrays_are():
    log = make_log("a")
    observation = make_observation(log, 0)
    tensors = {name: torch.from_numpy(image) for name, image in observation.images.items()}
    large = {name: image.repeat(2, 0).repeat(2, 1) for name, image in observation.images.items()}
    shrunk = {name: torch.from_numpy(image) for name, image in large.items()}
    planner = planner_of(make_model())
    assert not planner.wants_device_images
    seen = [
        planner.plan_batch([make_observation(log, 0, images)])[0] for images in (observation.images, tensors)
    ]
    assert np.array_equal(seen[0].scores, seen[1].scores)
    seen = [planner.plan_batch([make_observation(log, 0, images)])[0] for images in (large, shrunk)]
    assert np.array_equal(seen[0].scores, seen[1].scores)


def test_unknown_acceleration():
    with pytest.raises(ConfigError, match="expected one of none, graphs, compile"):
        planner_of(make_model(), accelerate="fast")


def test_memory_is_bounded_and_says_so(caplog):
    def remembered(step):
        return RememberedMap(step, np.zeros(3), torch.zeros(256))  # 1 kB

    memory = RolloutMemory(limit_bytes=4096)
    for token in ("a", "b"):
        memory.keep(token, remembered(0))
        memory.keep(token, remembered(1))
    assert memory.num_bytes == 4096
    memory.keep("a", remembered(2))  # now b has not been heard of for longest
    assert not caplog.records
    memory.keep("c", remembered(0))
    assert "past of b is dropped" in caplog.text
    assert memory.previous("b", 2) is None
    assert memory.previous("a", 3).step == 2
    assert memory.previous("c", 1).step == 0
    tiny = RolloutMemory(limit_bytes=1)
    tiny.keep("a", remembered(0))
    assert tiny.previous("a", 1).step == 0


@pytest.mark.gpu
@pytest.mark.parametrize("accelerate", ["none", "graphs", "compile"])
@pytest.mark.parametrize("autocast", ["", "bfloat16"])
def test_scores_on_a_gpu_are_those_of_the_cpu(accelerate, autocast):
    config = tiny_model_config(12) | {"autocast": autocast}
    torch.manual_seed(0)
    model = registry.MODELS.build(config)
    model.head.vocabulary.copy_(torch.from_numpy(make_vocabulary(12)))
    wanted = drive(planner_of(copy.deepcopy(model)))
    planner = planner_of(model, device="cuda", accelerate=accelerate)
    assert np.allclose(drive(planner), wanted, atol=0.1 if autocast else 5e-3)
    assert np.array_equal(drive(planner), drive(planner))
