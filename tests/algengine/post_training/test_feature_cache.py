import numpy as np
import pytest
import torch

from alg_factories import CAMERAS, make_log, make_observation
from algengine.datasets.frames import decode_jpeg
from algengine.errors import RecordingError
from algengine.planners.encode_log import encode_log
from algengine.post_training.adapt import AdapterConfig, adapt
from algengine.post_training.batches import DecisionBatches
from algengine.post_training.feature_cache import FeatureCache, planner_key
from algengine.post_training.objective import ExpectationObjective
from algengine.post_training.recipe import DataConfig, select_decisions
from algengine.serving.planner import VadPlanner
from post_training_factories import make_base, write_run
from simengine.errors import ConfigError

pytestmark = pytest.mark.mm


@pytest.fixture(scope="module")
def base():
    return make_base()


@pytest.fixture(scope="module")
def run(base, tmp_path_factory):
    logs = [make_log(f"log_{i}", 4.0 + i, 0.01 * i, decisions=4) for i in range(3)]
    return write_run(tmp_path_factory.mktemp("run"), base.vocabulary.plans.astype(np.float32), logs, 11)


def make_cache(base, folder, **options) -> FeatureCache:
    return FeatureCache(folder, base.build(), base.model, base.cameras, **options)


def recordings(run) -> list:
    return sorted((run / "observations").glob("*.npz"))


def test_cached_scores_are_those_at_the_wheel(base, run, tmp_path):
    cache = make_cache(base, tmp_path)
    assert cache.fill(recordings(run)) == 3
    planner, log = (
        VadPlanner(base.build(), "tiny", CAMERAS, keep_scores=True),
        make_log("log_1", 5.0, 0.01, decisions=4),
    )
    features = cache.open(recordings(run)[1])
    for step in range(4):
        images = {
            camera.name: decode_jpeg(jpeg, (64, 36))
            for camera, jpeg in zip(log.cameras, log.jpegs[step], strict=True)
        }
        plan = planner.plan_batch([make_observation(log, step, images)])[0]
        cached = torch.from_numpy(np.array(features.reference["imitation"][step])).log_softmax(-1)
        assert np.allclose(cached, plan.scores, atol=1e-4)


def test_what_is_there_is_kept_and_what_is_broken_is_made_again(base, run, tmp_path):
    cache = make_cache(base, tmp_path)
    seen = []
    assert cache.fill(recordings(run), seen.append) == 3
    assert seen == recordings(run)
    first = cache.path(recordings(run)[0])
    content = first.read_bytes()
    assert cache.fill(recordings(run)) == 0
    first.write_bytes(content[: len(content) // 2])
    assert make_cache(base, tmp_path).fill(recordings(run)) == 1
    assert first.read_bytes() == content
    assert not list(tmp_path.rglob("*.tmp"))


def test_the_key_names_everything_that_decides(base, run, tmp_path):
    other = base.build()
    with torch.no_grad():
        other.head.imitation[0].bias[0] += 1e-3
    folders = {
        make_cache(base, tmp_path).folder,
        make_cache(base, tmp_path, dtype="float16").folder,
        FeatureCache(tmp_path, other, base.model, base.cameras).folder,
        FeatureCache(tmp_path, base.build(), base.model, base.cameras[:1]).folder,
    }
    assert len(folders) == 4
    assert planner_key(base.build(), base.model) == planner_key(base.build(), base.model)
    assert make_cache(base, tmp_path).folder in folders
    assert len({make_cache(base, tmp_path).path(r) for r in recordings(run)}) == 3
    with pytest.raises(ConfigError, match="expected one of float32, float16"):
        make_cache(base, tmp_path, dtype="int8")


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-6), ("float16", 2e-2)])
def test_gradients_from_the_cache_are_those_without_it(base, run, tmp_path, dtype, tolerance):
    cache = make_cache(base, tmp_path, dtype=dtype)
    cache.fill(recordings(run))
    vocabulary = base.state_dict["head.vocabulary"]
    decisions = select_decisions(
        DataConfig(rollouts=[str(run)], filter="none", normal_ratio=0.0), base.vocabulary.key
    )
    batch = DecisionBatches(decisions, cache, vocabulary, 6).load([0, 5, 2, 11, 7, 3]).to("cpu")
    student = base.build()
    torch.manual_seed(0)
    adapt(student, AdapterConfig(rank=2))
    for name, parameter in student.named_parameters():
        if name.endswith("lora.B"):
            torch.nn.init.normal_(parameter, std=0.1)
    student.eval()  # adapters without dropout
    rows = [(decisions[i].token, decisions[i].step) for i in [0, 5, 2, 11, 7, 3]]
    logs = {f"log_{i}": make_log(f"log_{i}", 4.0 + i, 0.01 * i, decisions=4) for i in range(3)}
    maps = {token: encode_log(student, log, CAMERAS) for token, log in logs.items()}
    fresh = torch.stack([maps[token][step] for token, step in rows])
    gradients = []
    for bev in (batch.bev, fresh):
        losses = ExpectationObjective()(student.head(bev, batch.status), batch.outcomes)
        student.zero_grad()
        sum(v for n, v in losses.items() if n.startswith("loss_")).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in student.parameters() if p.grad is not None]))
    assert gradients[1].norm() > 0
    assert (gradients[0] - gradients[1]).norm() <= tolerance * gradients[1].norm()


def test_batches_are_an_order_of_seed_and_step(base, run, tmp_path):
    cache = make_cache(base, tmp_path)
    cache.fill(recordings(run))
    decisions = select_decisions(
        DataConfig(rollouts=[str(run)], filter="none", normal_ratio=0.0), base.vocabulary.key
    )
    batches = DecisionBatches(decisions, cache, base.state_dict["head.vocabulary"], 5)
    assert batches.per_epoch == 2
    assert len(set(batches.rows(0)) | set(batches.rows(1))) == 10
    streamed = list(batches.stream(1, 4))
    assert len(streamed) == 3
    assert torch.equal(streamed[1].bev, batches.load(batches.rows(2)).bev)
    assert streamed[0].outcomes.behaviour.tolist() == [11] * 5
    assert streamed[0].outcomes.rewards["score"].shape == (5, 12)


def test_a_missing_camera_is_one_sentence(base):
    with pytest.raises(RecordingError, match="expected also"):
        encode_log(base.build(), make_log("log", decisions=1), ("CAM_X",))
