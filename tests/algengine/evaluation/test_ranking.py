import numpy as np
import pytest
import torch

from alg_factories import CAMERAS, make_log, make_vocabulary, tiny_model_config
from algengine.cli.main import main
from algengine.datasets.recordings import RecordingDataset
from algengine.datasets.vocabulary import save_vocabulary
from algengine.engine.configs import load_config
from algengine.engine.weights import build_planner, load_weights
from algengine.evaluation.ranking import HeldOut, best_ranking, candidates, held_out_decisions, plan_scores
from algengine.heads.sub_score_heads import PUBLISHED_RANKING, SUB_SCORES, Ranking, combine_scores
from post_training_factories import write_run
from simengine.errors import ConfigError

pytestmark = pytest.mark.mm


def make_held_out(seed: int, count: int = 50, plans: int = 9) -> HeldOut:
    generator = torch.Generator().manual_seed(seed)
    names = ("imitation", *SUB_SCORES)
    logits = {name: 3.0 * torch.randn(count, plans, generator=generator) for name in names}
    return HeldOut(logits, torch.rand(count, plans, generator=generator))


@pytest.mark.parametrize("ranking", [None, PUBLISHED_RANKING, Ranking(0.7, 2.0, 3.0)])
def test_earned_is_the_score_of_the_chosen_plans(ranking):
    held_out, earned = make_held_out(0), []
    for n in range(50):
        ranked = []
        for k in range(9):
            p = {name: float(torch.sigmoid(x[n, k].double())) for name, x in held_out.logits.items()}
            likelihood = float(torch.log_softmax(held_out.logits["imitation"][n].double(), 0)[k])
            safe = p["no_at_fault_collisions"] * p["drivable_area_compliance"]
            mean = 5 * p["time_to_collision_within_bound"] + 2 * p["comfort"] + 5 * p["ego_progress"]
            if ranking is None:
                ranked.append(likelihood)
            else:
                average = ranking.average * np.log(mean)
                ranked.append(ranking.imitation * likelihood + ranking.multipliers * np.log(safe) + average)
        earned.append(float(held_out.scores[n, int(np.argmax(ranked))]))
    assert held_out.earned(ranking) == pytest.approx(np.mean(earned), abs=1e-6)


def test_the_best_ranking_earns_most():
    held_out = make_held_out(1)
    everything = list(candidates())
    assert everything[0] == PUBLISHED_RANKING and len(set(everything)) == len(everything) - 1
    assert held_out.earned(best_ranking(held_out)) == max(held_out.earned(r) for r in everything)


def test_the_likeliest_plan_wins_where_it_is_the_best():
    held_out = make_held_out(2)
    truth = torch.nn.functional.one_hot(held_out.logits["imitation"].argmax(-1), 9).float()
    best = best_ranking(HeldOut(held_out.logits, truth))
    assert best.imitation == max(r.imitation for r in candidates())


def test_plan_scores_by_hand():
    # NC 0.5, DAC 1, TTC 1, C 0, EP 0.4: 0.5 (5 + 2) / 12; an unknown sub-score makes the score unknown.
    sub_scores = torch.tensor([[0.5, 1.0, 1.0, 0.0, 0.4]])[..., None].repeat(2, 1, 1)
    sub_scores[1, 3] = torch.nan
    score = plan_scores(sub_scores)
    assert score[0, 0].item() == pytest.approx(0.5 * 7 / 12)
    assert score[1].isnan().all()


@pytest.fixture(scope="module")
def planner_folder(tmp_path_factory):
    """A tiny HydraMDP with random weights, recordings with scores, and the config of both."""
    folder = tmp_path_factory.mktemp("ranking")
    logs = [make_log(f"log_{i}", 4.0 + i, decisions=12) for i in range(3)]
    unknown = {(0, 2), (1, 0)}

    def score(log: int, step: int) -> np.ndarray:
        return np.full(12, np.nan) if (log, step) in unknown else np.random.default_rng(step).random(12)

    write_run(folder, make_vocabulary(12), logs, score=score)
    save_vocabulary(make_vocabulary(12), folder / "plans.npy")
    config = load_config("hydramdp_demo")
    config.model = tiny_model_config(12)
    config.model.head.update(sub_scores=True, ranking={"imitation": 0.05, "multipliers": 0.5, "average": 8.0})
    config.val_dataloader.dataset.update(
        root=str(folder / "observations"), part="all", clip_length=2, clip_stride=2, image_size=(64, 36)
    )
    config.val_dataloader.dataset.update(
        cameras=CAMERAS, sub_scores={"root": str(folder / "rewards"), "vocabulary": str(folder / "plans.npy")}
    )
    config.train_dataloader.dataset.cameras = CAMERAS
    config.dump(folder / "tiny.py")
    torch.manual_seed(3)
    planner = build_planner(config.model.to_dict())
    planner.head.vocabulary.copy_(torch.from_numpy(make_vocabulary(12)))
    torch.save({"state_dict": planner.state_dict()}, folder / "tiny.pth")
    return folder, planner, config


def test_held_out_decisions_are_those_with_known_scores(planner_folder):
    _, planner, config = planner_folder
    options = {k: v for k, v in config.val_dataloader.dataset.to_dict().items() if k != "type"}
    data = RecordingDataset(**options | {"min_future": 10})
    found = held_out_decisions(planner, data, batch_size=4)
    # Clips of two frames cover decisions 1 to 10 of each log, or 0 to 9; two decisions are unknown.
    covered = {(int(data.logs[c.log].token[-1]), c.first + q) for c in data.clips for q in range(2)}
    assert len(found.scores) == len(covered - {(0, 2), (1, 0)}) > 20
    assert not found.scores.isnan().any()
    with torch.no_grad():
        ranked = planner.forward(**_batch(planner, data[0]), mode="tensor")[0]
    chosen = combine_scores(found.logits["imitation"], {n: found.logits[n] for n in SUB_SCORES})
    torch.testing.assert_close(chosen[:2], ranked, atol=1e-4, rtol=1e-4)


def _batch(planner, item) -> dict:
    from algengine.datasets.collate import planning_collate

    return planner.data_preprocessor(planning_collate([item]), False)


def test_the_command_writes_words_that_export_takes(planner_folder, tmp_path, capsys):
    folder, _, _ = planner_folder
    output = tmp_path / "ranking.txt"
    options = [f"val_dataloader.dataset.{name}" for name in ("clip_length=1", "clip_stride=1")]
    words = ["fit-ranking", str(folder / "tiny.py"), str(folder / "tiny.pth"), "--device", "cpu"]
    assert main([*words, "--output", str(output), "--cfg-options", *options]) == 0
    assert "imitation alone" in capsys.readouterr().out
    lines = output.read_text().split()
    assert [line.partition("=")[0] for line in lines] == [
        f"model.head.ranking.{name}" for name in ("imitation", "multipliers", "average")
    ]
    words = ["export", str(folder / "tiny.pth"), str(tmp_path / "out"), "--config", str(folder / "tiny.py")]
    assert main([*words, "--cfg-options", *lines]) == 0
    weights = load_weights(tmp_path / "out" / "weights.pth")
    served = build_planner(weights.model, weights.state_dict)
    assert [str(value) for value in vars(served.head.ranking).values()] == [
        line.partition("=")[2] for line in lines
    ]


def test_a_planner_or_data_without_sub_scores_are_one_sentence(planner_folder):
    _, planner, config = planner_folder
    options = {k: v for k, v in config.val_dataloader.dataset.to_dict().items() if k != "type"}
    options["min_future"] = 10
    without = RecordingDataset(**options | {"sub_scores": None})
    with pytest.raises(ConfigError, match=r"val_dataloader.dataset.sub_scores"):
        held_out_decisions(planner, without)
    imitator = build_planner(tiny_model_config(12))
    with pytest.raises(ConfigError, match="predicts no sub-scores"):
        held_out_decisions(imitator, RecordingDataset(**options))
