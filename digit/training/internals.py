"""Everything of Lightning that is not public API, in one place.

The names below may change with any of its releases, so ``pyproject.toml`` admits one minor version, and
``tests/training/test_internals.py`` says what a newer one breaks.
"""

import copy
import logging
import warnings
from typing import Any

import lightning
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.trainer.connectors.signal_connector import _SignalConnector

PROGRESS = ("ready", "started", "processed", "completed")
"""Counters of batches, from the first that is moved on."""


class _NoSignals(_SignalConnector):
    def register_signal_handlers(self) -> None:
        """Register nothing."""


def leave_signals_alone(trainer: lightning.Trainer) -> None:
    """Keep Lightning from handling SIGTERM: it would give up without saving."""
    trainer._signal_connector = _NoSignals(trainer)


def quiet_lightning() -> None:
    """Keep Lightning's advice out of the log."""
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")


class QuietDDP(DDPStrategy):
    """Data-parallel training whose processes, made of a pickled copy, are as quiet as the first one."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        quiet_lightning()
        self.__dict__.update(state)


def batches_done(trainer: lightning.Trainer) -> int:
    """Batches of the present epoch that a resumed training has behind it, in this process."""
    return trainer.fit_loop.epoch_loop.batch_progress.current.ready


def has_progress(state: dict[str, Any]) -> bool:
    """Whether a checkpoint says where its training stands, and so can be resumed."""
    return "loops" in state


def with_other_batches(state: dict[str, Any], before: int, now: int) -> dict[str, Any]:
    """Return a resumable state whose place in the epoch is counted in other batches.

    Args:
        state: a checkpoint; it is not changed.
        before: batches that made one optimiser step when it was saved.
        now: batches that make one from now on.
    """
    state = copy.copy(state) | {"loops": copy.deepcopy(state["loops"])}
    progress = state["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    for span in ("current", "total"):
        ready = progress[span]["ready"]
        behind = {name: ready - progress[span][name] for name in PROGRESS}
        progress[span] |= {name: ready * now // before - behind[name] for name in PROGRESS}
    return state
