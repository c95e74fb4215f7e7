"""The training loop: MMEngine's epochs, resumed exactly from any iteration."""

from __future__ import annotations

import copy

import torch
from mmengine.dist import all_reduce
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader

from algengine.engine.seeding import SeededDataset, SeededSampler, seed_step
from algengine.registry import DATA_SAMPLERS, DATASETS, LOOPS
from simengine.errors import ConfigError


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """Epochs in which every step depends on weights, optimiser state, seed and iteration only.

    A run that goes on from a checkpoint, also from one written inside an epoch, takes the same steps as one that was
    never interrupted. Logged losses are means over all processes.

    Args:
        runner: the runner.
        dataloader: config of the loader; its sampler orders an epoch by `set_epoch` only.
        max_epochs: number of epochs.
        options: see `EpochBasedTrainLoop`.
    """

    def __init__(self, runner: Runner, dataloader: dict, max_epochs: int, **options: object) -> None:
        super().__init__(runner, seeded_dataloader(dataloader, runner.seed), max_epochs, **options)

    def run(self) -> nn.Module:
        """Train and return the model."""
        self.runner.call_hook("before_train")
        if self._epoch > 0 and self._iter == self._epoch * len(self.dataloader):
            # The last process may have ended between the checkpoint of an epoch and the end of its validation.
            self._validate_if_due()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate_if_due()
        self.runner.call_hook("after_train")
        return self.runner.model

    def run_epoch(self) -> None:
        """Take the steps of the epoch that are not yet done."""
        done = self._iter - self._epoch * len(self.dataloader)
        self.runner.call_hook("before_train_epoch")
        self.runner.model.train()
        self.dataloader.sampler.skip = done * self.dataloader.batch_size
        if done < len(self.dataloader):
            for idx, batch in enumerate(self.dataloader, start=done):
                self.run_iter(idx, batch)
        self.dataloader.sampler.skip = 0
        self.runner.call_hook("after_train_epoch")
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: dict) -> None:
        """Take one step."""
        seed_step(self.runner.seed, self._iter, self.runner.rank)
        self.runner.call_hook("before_train_iter", batch_idx=idx, data_batch=data_batch)
        outputs = self.runner.model.train_step(data_batch, optim_wrapper=self.runner.optim_wrapper)
        outputs = mean_over_processes(outputs)
        self.runner.call_hook("after_train_iter", batch_idx=idx, data_batch=data_batch, outputs=outputs)
        self._iter += 1

    def _validate_if_due(self) -> None:
        self._decide_current_val_interval()
        due = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
        if self.runner.val_loop is not None and self._epoch >= self.val_begin and due:
            self.runner.val_loop.run()


def seeded_dataloader(config: dict, seed: int) -> DataLoader:
    """Return the loader of `config` with samples and order that depend on seed and epoch only.

    Raises:
        ConfigError: the config asks for a batch sampler, which cannot start in the middle of an epoch, or the data
            do not fill a batch.
    """
    config = copy.deepcopy(config)
    if config.get("batch_sampler") is not None:
        raise ConfigError(
            "train_dataloader has a batch_sampler, expected a sampler only: ResumableTrainLoop could not resume it "
            "exactly; use type='EpochBasedTrainLoop' in train_cfg to do without"
        )
    dataset = DATASETS.build(config.pop("dataset"))
    sampler = DATA_SAMPLERS.build(config.pop("sampler"), default_args={"dataset": dataset, "seed": seed})
    config |= {"dataset": SeededDataset(dataset, seed), "sampler": SeededSampler(sampler)}
    loader = Runner.build_dataloader(config, seed=seed)
    if not len(loader):
        raise ConfigError(
            f"train_dataloader has {len(sampler)} samples per process for batches of {loader.batch_size}, expected at "
            "least one batch: give more data, or a smaller train_dataloader.batch_size"
        )
    return loader


def mean_over_processes(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return each scalar averaged over all processes."""
    stacked = torch.stack([value.detach().float() for value in values.values()])
    all_reduce(stacked, "mean")
    return dict(zip(values, stacked.unbind(), strict=True))
