"""A worker's training continues its run folder."""

import dataclasses

import pytest

from models.runs.folder import open_locked
from models.runtime import precision
from models.training import loop, preconditions
from pipeline.common import errors
from tuning.workers import train_job


def test_job_keeps_the_precision_that_its_run_began_with(jobs, tmp_path, monkeypatch):
    """A space may choose the precision `auto`; a trial continues in a process with other settings."""
    job = dataclasses.replace(jobs[0], train=jobs[0].train.replace(precision="auto"))
    begun = job.train.replace(precision="float32")
    with open_locked(str(tmp_path), {**job.config, **begun.as_dict()}, {}) as run:
        run.checkpoint.parent.mkdir()
        run.checkpoint.touch()
    monkeypatch.setattr(precision, "_try_bfloat16", lambda: precision.Choice("mixed_bfloat16", "fast"))
    monkeypatch.setattr(preconditions, "check", lambda *_: None)
    monkeypatch.setattr(train_job, "_load_tensorflow", lambda: None)

    def train(data, config, *, run, callbacks, verbose):
        raise errors.InterruptedRunError(run.as_begun("precision", config.precision))

    monkeypatch.setattr(loop, "train", train)
    with pytest.raises(errors.InterruptedRunError, match=r"^float32$"):
        train_job.train(job, tmp_path)
