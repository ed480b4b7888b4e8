"""What a new release of Lightning breaks; ``digit/training/internals.py`` is the one place to mend."""

import copy

import lightning
import pytest
import torch
from lightning.pytorch.trainer.connectors import signal_connector

from digit.training.internals import QuietDDP, batches_done, has_progress, leave_signals_alone, with_other_batches


class Line(lightning.LightningModule):
    """The smallest network that trains."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, _):
        return self.layer(batch[0]).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class SaveAtSecond(lightning.Callback):
    """Keeps the state after the second of three batches."""

    def __init__(self, path):
        self.path = path

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if batch_idx == 1:
            trainer.save_checkpoint(self.path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A trainer that was stopped in the second of three batches, and its state."""
    path = tmp_path_factory.mktemp("state") / "state.ckpt"
    batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(6, 1)), batch_size=2)
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[SaveAtSecond(path)], default_root_dir=path.parent,
    )  # fmt: skip
    trainer.fit(Line(), batches)
    return trainer, torch.load(path, weights_only=True)


def test_the_trainers_signals_can_be_left_alone(trained, monkeypatch):
    trainer, _ = trained
    leave_signals_alone(trainer)
    assert isinstance(trainer._signal_connector, signal_connector._SignalConnector), "Trainer._signal_connector"
    monkeypatch.setattr(signal_connector.signal, "signal", lambda *_: pytest.fail("register_signal_handlers is gone"))
    trainer._signal_connector.register_signal_handlers()


def test_the_place_in_the_epoch_is_where_it_was(trained):
    trainer, _ = trained
    assert batches_done(trainer) == 3, "Trainer.fit_loop.epoch_loop.batch_progress.current.ready"


def test_a_state_says_its_place_in_the_epoch_and_it_can_be_moved(trained):
    _, state = trained
    before = copy.deepcopy(state)
    assert has_progress(state) and not has_progress({"state_dict": {}})
    progress = state["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]
    assert (progress["ready"], progress["completed"]) == (2, 1), "saved before the batch counts as completed"
    moved = with_other_batches(state, before=1, now=4)["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]
    assert (moved["ready"], moved["completed"]) == (8, 7)
    assert state["loops"] == before["loops"], "the argument is not changed"


def test_the_strategy_pickles_as_its_attributes():
    state = QuietDDP(start_method="spawn").__reduce_ex__(2)[2]
    assert isinstance(state, dict), "Strategy.__getstate__ gives attributes"
