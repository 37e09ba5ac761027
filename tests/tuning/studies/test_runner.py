"""Cells are trained once, in the order given; what fails is noted, passed over and tried again."""

import dataclasses
import os
import signal
import threading
import time

import pytest

from pipeline.common import errors
from tests.tuning import stub_training
from tuning.studies import folder as study_folder
from tuning.studies import runner
from tuning.studies.folder import FAILED, StudyFolder
from tuning.workers.worker_process import THREADS, Worker


@pytest.fixture
def folder(cells, tmp_path):
    with study_folder.claim(tmp_path / "study", "normalisation", "smoke", cells) as folder:
        yield folder


def run(folder, cells, train, resolve=stub_training.resolve):
    runner.run(folder, cells, train, resolve)


def calls(folder):
    return (folder.path / "calls.txt").read_text().split()


def test_every_cell_is_trained_once_and_never_again(folder, cells, capsys):
    run(folder, cells[:3], stub_training.train)
    run(folder, cells, stub_training.train)
    assert calls(folder) == [cell.name for cell in cells]
    assert all(folder.is_finished(cell) for cell in cells)
    assert folder.result(cells[0])["config"]["pixel_scaling"] == "unit"
    assert not list((folder.path / "runs").iterdir())  # checkpoints would fill the disk
    told = capsys.readouterr().out.splitlines()
    assert told[-1] == "[4/4] standardise, seed 1: fine 50.00 %, coarse 70.00 %, 100 s"
    assert "left" in told[0]


def test_failed_cell_is_noted_passed_over_and_tried_again(folder, cells):
    run(folder, cells, stub_training.train_but_fail_one)
    assert [folder.is_finished(cell) for cell in cells] == [False, True, False, True]
    failed = folder.result(cells[0])
    assert (failed["status"], failed["reason"]) == (FAILED, "fine_loss is nan, expected a number")
    assert "Traceback" in failed["trace"]
    assert not folder.run_dir(cells[0]).exists()  # its weights are of no use
    run(folder, cells, stub_training.train)
    assert calls(folder) == [cell.name for cell in [*cells, cells[0], cells[2]]]
    assert folder.is_finished(cells[0])


def test_killed_worker_costs_its_cell_alone_and_leaves_the_checkpoint(folder, cells):
    run(folder, cells, stub_training.train_but_be_killed_once)
    assert [folder.is_finished(cell) for cell in cells] == [False, True, False, True]
    assert "SIGKILL" in folder.result(cells[0])["reason"]
    assert folder.run_dir(cells[0]).exists()


@pytest.mark.parametrize(
    ("train", "reason"),
    [
        (stub_training.train_but_fill_the_disk, "OSError: No space left on device"),
        (stub_training.train_without_data, "the data set is not prepared"),
    ],
)
def test_cell_that_did_not_diverge_keeps_its_run(folder, cells, train, reason):
    run(folder, cells[:1], train)
    assert folder.result(cells[0])["reason"] == reason
    assert folder.run_dir(cells[0]).exists()  # hours of training, and room can be made


def test_worker_that_ends_between_two_cells_costs_none(folder, cells, monkeypatch):
    write_finished = StudyFolder.write_finished

    def write_late(*arguments):
        write_finished(*arguments)
        time.sleep(1.0)  # until the worker is gone

    monkeypatch.setattr(StudyFolder, "write_finished", write_late)
    run(folder, cells[:2], stub_training.train_and_leave)
    assert all(folder.is_finished(cell) for cell in cells[:2])
    assert calls(folder) == [cell.name for cell in cells[:2]]


def test_study_keeps_the_precision_that_it_began_with(folder, cells):
    run(folder, cells[:1], stub_training.train)
    message = r"begun with precision float32, this machine's is mixed_bfloat16; go on where it was begun, or choose"
    with pytest.raises(errors.BadArgumentError, match=message):
        run(folder, cells, stub_training.train, stub_training.resolve_elsewhere)
    assert calls(folder) == [cells[0].name]
    run(folder, cells[:1], stub_training.train, stub_training.resolve_elsewhere)  # nothing is computed
    run(folder, cells[:2], stub_training.train)
    assert folder.is_finished(cells[1])


def test_machine_that_cannot_tell_its_precision_is_one_line(folder, cells):
    with pytest.raises(errors.FailedError, match=r"^precision=auto: OSError: no machine for auto$"):
        run(folder, cells, stub_training.train, stub_training.fail_to_resolve)


def test_precision_that_every_cell_names_is_not_asked_for(folder, cells):
    named = [dataclasses.replace(cell, train=dataclasses.replace(cell.train, precision="float32")) for cell in cells]
    run(folder, named[:1], stub_training.train, stub_training.fail_to_resolve)
    assert folder.is_finished(named[0])


def test_signal_lets_the_cell_save_and_ends_the_study(folder, cells):
    run(folder, cells[:1], stub_training.train)

    def interrupt_once_begun():
        while len(calls(folder)) < 2:
            time.sleep(0.01)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt_once_begun)
    thread.start()
    with pytest.raises(errors.InterruptedRunError):
        run(folder, cells, stub_training.train_until_told)
    thread.join()
    assert (folder.run_dir(cells[1]) / "saved").exists()
    assert [folder.is_finished(cell) for cell in cells] == [True, False, False, False]
    assert folder.result(cells[1]) is None  # not failed


def test_cells_side_by_side_are_each_trained_once(folder, cells, monkeypatch):
    seen = []
    begin = runner.StudyProgress.begin

    def noted(progress, cell):
        begin(progress, cell)
        seen.append(len(progress._under_way))

    monkeypatch.setattr(runner.StudyProgress, "begin", noted)
    runner.run(folder, cells, stub_training.train_slowly, stub_training.resolve, num_workers=2)
    assert sorted(calls(folder)) == sorted(cell.name for cell in cells)
    assert all(folder.is_finished(cell) for cell in cells)
    assert max(seen) == 2


def test_cells_side_by_side_share_the_processors_and_a_lone_one_has_all(folder, monkeypatch):
    monkeypatch.setattr("pipeline.common.cpu.count", lambda: 8)
    seen = []
    monkeypatch.setattr(runner, "RecycledWorker", lambda threads: seen.append(threads) or Worker())
    for num_workers in (1, 3):
        runner.run(folder, [], stub_training.train, stub_training.resolve, num_workers)
    assert seen == [0, 2, 2, 2]


def test_threads_are_the_workers_own():
    before = os.environ.get(THREADS[0])
    with Worker(threads=2) as limited:
        limited.call(os.getenv, THREADS[0])
        assert limited.answer() == "2"
    assert os.environ.get(THREADS[0]) == before
