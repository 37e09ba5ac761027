"""Batches of a data service are those of the local pipeline, whatever happens to its workers and its dispatcher."""

import itertools

import pytest
import tensorflow as tf

from pipeline.batches import OpenedData
from pipeline.common import errors
from pipeline.data_config import DataConfig
from pipeline.data_service import client
from tests.pipeline.data_service.digests import digest, local


@pytest.mark.parametrize(("values", "start_step"), [({}, 0), ({"crop_size": 24, "augmentation": "none"}, 70)])
def test_two_workers_make_the_batches_of_the_local_pipeline(dispatcher, worker, address, config, values, start_step):
    dispatcher(), worker(), worker()
    config = config.replace(**values)
    stream = OpenedData(config.replace(data_service=address)).train(3, start_step)
    made = [digest(batch) for batch in itertools.islice(stream, 50)]  # two passes and some
    assert made == local(config, start_step, 50)


def test_killed_worker_costs_no_batch_and_repeats_none(dispatcher, worker, address, config):
    dispatcher(), worker()
    killed = worker()
    stream = iter(OpenedData(config.replace(data_service=address)).train(3))
    made = [digest(batch) for batch in itertools.islice(stream, 5)]
    killed.kill()
    made += [digest(batch) for batch in itertools.islice(stream, 150)]
    assert made == local(config, 0, 155)


def test_dispatcher_that_was_killed_goes_on_from_its_journal(dispatcher, worker, address, config):
    killed = dispatcher()
    worker()
    stream = iter(OpenedData(config.replace(data_service=address)).train(3))
    made = [digest(batch) for batch in itertools.islice(stream, 5)]
    killed.kill()
    dispatcher()
    made += [digest(batch) for batch in itertools.islice(stream, 40)]
    assert made == local(config, 0, 45)


def made_by(monkeypatch, config: DataConfig, numbers) -> list[str]:
    """The batches that a training takes where the service sends these steps, in this order."""
    opened = OpenedData(config.replace(data_service="127.0.0.1:1"))
    batches = dict(enumerate(OpenedData(config).train(3).take(max(numbers, default=0) + 1)))

    def sent():
        yield from ({**batches[number], client.STEP: number} for number in numbers)
        raise RuntimeError("the service has nothing left")

    monkeypatch.setattr(client.ServiceBatches, "_reader", lambda self, _: sent().__next__)
    stream, made = iter(opened.train(3)), []
    with pytest.raises(RuntimeError, match="nothing left"):
        made.extend(digest(batch) for batch in stream)
    return made


@pytest.mark.parametrize("numbers", [[0, 1, 2, 3], [3, 1, 0, 2], [1, 0, 1, 0, 3, 2, 2]])
def test_batches_are_put_in_order_and_later_copies_are_dropped(monkeypatch, config, numbers):
    assert made_by(monkeypatch, config, numbers) == local(config, 0, 4)


def test_lost_batches_are_made_here_and_dropped_where_they_come_late(monkeypatch, config):
    monkeypatch.setattr(client, "MAX_AHEAD", 3)
    numbers = [0, 2, 3, 4, 5, 1, 7, 8, 9, 6, 10]
    assert made_by(monkeypatch, config, numbers) == local(config, 0, 11)


def test_labels_of_other_data_end_the_training(monkeypatch, config):
    opened = OpenedData(config.replace(data_service="127.0.0.1:1"))
    (batch,) = OpenedData(config).train(3).take(1)
    other = {**batch, "fine": batch["fine"][::-1], client.STEP: 0}
    monkeypatch.setattr(client.ServiceBatches, "_reader", lambda self, _: lambda: dict(other))
    with pytest.raises(errors.FailedError, match=r"^data_service=127.0.0.1:1: .* --data_dir"):
        next(iter(opened.train(3)))


def test_service_that_is_gone_ends_the_training(address, config, monkeypatch):
    monkeypatch.setattr(client, "FIRST_SECONDS", 0.1)
    with pytest.raises(errors.FailedError, match=rf"^data_service={address}: no batch has come for 0.1 s"):
        next(iter(OpenedData(config.replace(data_service=address)).train(3)))


def test_error_of_a_worker_ends_the_training_in_one_line(config, monkeypatch):
    def missing():
        raise tf.errors.NotFoundError(None, None, "/data/x.tfrecord; No such file\nand so on")

    monkeypatch.setattr(client.ServiceBatches, "_reader", lambda self, _: missing)
    with pytest.raises(errors.FailedError, match=r"^data_service=127.0.0.1:1: /data/x.tfrecord; No such file$"):
        next(iter(OpenedData(config.replace(data_service="127.0.0.1:1")).train(3)))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"data_service": "box"}, "data_service=box: expected HOST:PORT"),
        ({"data_service": "h:1", "cache": "none"}, "data_service=h:1 and cache=none"),
        ({"data_service": "h:1", "cache": "device"}, "data_service=h:1 and cache=device"),
    ],
)
def test_flags_that_do_not_fit_are_refused(values, message):
    with pytest.raises(errors.BadArgumentError, match=f"^{message}"):
        DataConfig(**values)
