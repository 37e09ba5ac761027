"""Jobs are trained once, in the order given; what fails is noted, passed over and tried again."""

import dataclasses
import itertools
import json
import os
import signal
import threading
import time

import psutil
import pytest

from pipeline.common import errors
from pipeline.common.process import worker_process
from pipeline.common.process.environment import THREADS
from pipeline.common.process.worker_process import Worker
from tests.tuning import stub_training
from tuning.studies import folder as study_folder
from tuning.studies import runner
from tuning.studies.folder import FAILED, StudyFolder
from tuning.workers import pool


@pytest.fixture
def folder(jobs, tmp_path):
    with study_folder.open_study(tmp_path / "study", "normalisation", "smoke", jobs) as folder:
        yield folder


def run(folder, jobs, train, choose=stub_training.choose):
    runner.run(folder, jobs, train, choose)


def calls(folder):
    return (folder.path / "calls.txt").read_text().split()


def test_every_cell_is_trained_once_and_never_again(folder, jobs, capsys):
    run(folder, jobs[:3], stub_training.train)
    run(folder, jobs, stub_training.train)
    assert calls(folder) == [job.name for job in jobs]
    assert all(folder.is_finished(job) for job in jobs)
    assert folder.result(jobs[0])["config"]["pixel_scaling"] == "unit"
    assert not list((folder.path / "runs").iterdir())  # checkpoints would fill the disk
    told = capsys.readouterr().out.splitlines()
    assert told[-1] == "[4/4] standardise, seed 1: fine 50.00 %, coarse 70.00 %, 100 s"
    assert "left" in told[0]


@pytest.mark.parametrize(("compares_memory", "num_processes"), [(True, 4), (False, 1)])
def test_jobs_whose_memory_is_compared_have_a_process_each(folder, jobs, compares_memory, num_processes):
    runner.run(folder, jobs, stub_training.train_and_tell, stub_training.choose, compares_memory=compares_memory)
    assert len({folder.result(job)["report"]["pid"] for job in jobs}) == num_processes


def test_failed_cell_is_noted_passed_over_and_tried_again(folder, jobs):
    run(folder, jobs, stub_training.train_but_fail_one)
    assert [folder.is_finished(job) for job in jobs] == [False, True, False, True]
    failed = folder.result(jobs[0])
    assert (failed["status"], failed["reason"]) == (FAILED, "fine_loss is nan, expected a number")
    assert "Traceback" in failed["trace"]
    assert not folder.run_dir(jobs[0]).exists()  # its weights are of no use
    run(folder, jobs, stub_training.train)
    assert calls(folder) == [job.name for job in [*jobs, jobs[0], jobs[2]]]
    assert folder.is_finished(jobs[0])


def test_job_of_a_killed_worker_is_tried_again(folder, jobs, capsys):
    run(folder, jobs[:2], stub_training.train_but_be_killed_thrice)
    assert all(folder.is_finished(job) for job in jobs[:2])
    assert calls(folder) == [jobs[0].name] * 4 + [jobs[1].name]
    told = [line for line in capsys.readouterr().out.splitlines() if "SIGKILL" in line]
    assert len(told) == 3
    assert all(jobs[0].name in line for line in told)


@pytest.mark.parametrize(
    ("train", "reason", "num_oom_kills", "attempts"),
    [
        (stub_training.train_and_be_killed, "killed by SIGKILL (out of memory)", itertools.count(), 2),
        (stub_training.train_and_be_killed, "killed by SIGKILL (out of memory?)", itertools.repeat(3), 4),
        (stub_training.train_and_be_killed, "killed by SIGKILL (out of memory?)", itertools.repeat(None), 3),
        (stub_training.train_and_crash, "killed by SIGABRT", itertools.repeat(3), 2),
        (stub_training.train_and_exit, "ended with exit code 7", itertools.repeat(3), 2),
    ],
)
def test_job_whose_workers_die_again_and_again_fails(train, reason, num_oom_kills, attempts, folder, jobs, monkeypatch):
    """Deaths for want of memory count apart, as since ray-project/ray#28714: the next attempt would need as much."""
    monkeypatch.setattr(worker_process, "oom_kills", lambda: next(num_oom_kills))
    monkeypatch.setattr(pool, "MAX_DEATHS", {"crash": 2, "unknown": 3, "somebody": 4})
    run(folder, jobs[:1], train)
    assert folder.result(jobs[0])["reason"] == f"its process {'was ' * ('killed' in reason)}{reason}"
    assert calls(folder) == [jobs[0].name] * attempts
    assert folder.run_dir(jobs[0]).exists()


def test_job_whose_worker_alone_is_asked_to_end_is_tried_again(folder, jobs):
    run(folder, jobs[:1], stub_training.train_but_be_asked_to_end_once)
    assert folder.is_finished(jobs[0])
    assert calls(folder) == [jobs[0].name] * 2


def test_cell_that_did_not_diverge_keeps_its_run(folder, jobs):
    run(folder, jobs[:1], stub_training.train_without_data)
    assert folder.result(jobs[0])["reason"] == "the data set is not prepared"
    assert folder.run_dir(jobs[0]).exists()


def test_full_disk_ends_the_study_and_keeps_the_run(folder, jobs):
    with pytest.raises(errors.WriteError, match=rf"^study_dir={folder.path}: run_dir=.*No space left"):
        run(folder, jobs[:2], stub_training.train_but_fill_the_disk)
    assert calls(folder) == [jobs[0].name]
    assert folder.result(jobs[0]) is None
    assert folder.run_dir(jobs[0]).exists()  # hours of training, and room can be made


def test_worker_that_ends_between_two_jobs_costs_none(folder, jobs, monkeypatch):
    write_finished = StudyFolder.write_finished

    def write_once_it_has_left(folder, job, outcome, seconds):
        (folder.run_dir(job) / "leave").touch()
        while psutil.Process(outcome["report"]["pid"]).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        write_finished(folder, job, outcome, seconds)

    monkeypatch.setattr(StudyFolder, "write_finished", write_once_it_has_left)
    run(folder, jobs[:2], stub_training.train_and_leave)
    assert all(folder.is_finished(job) for job in jobs[:2])
    assert calls(folder) == [job.name for job in jobs[:2]]


def test_study_keeps_the_precision_that_it_began_with(folder, jobs):
    run(folder, jobs[:1], stub_training.train)
    run(folder, jobs, stub_training.train, stub_training.choose_elsewhere)
    assert all(folder.result(job)["config"]["precision"] == "float32" for job in jobs)
    saved = json.loads((folder.path / "study.json").read_text())
    assert (saved["precision"], saved["precision_reason"]) == stub_training.choose("auto")


def test_machine_that_cannot_tell_its_precision_is_one_line(folder, jobs):
    with pytest.raises(errors.FailedError, match=r"^precision=auto: OSError: no machine for auto$"):
        run(folder, jobs, stub_training.train, stub_training.fail_to_choose)


def test_precision_that_every_cell_names_is_not_asked_for(folder, jobs):
    named = [dataclasses.replace(job, train=dataclasses.replace(job.train, precision="float32")) for job in jobs]
    run(folder, named[:1], stub_training.train, stub_training.fail_to_choose)
    assert folder.is_finished(named[0])


def test_signal_lets_the_cell_save_and_ends_the_study(folder, jobs):
    run(folder, jobs[:1], stub_training.train)

    def interrupt_once_begun():
        while not (folder.run_dir(jobs[1]) / "waits").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt_once_begun)
    thread.start()
    with pytest.raises(errors.InterruptedRunError):
        run(folder, jobs, stub_training.train_until_told)
    thread.join()
    assert (folder.run_dir(jobs[1]) / "saved").exists()
    assert [folder.is_finished(job) for job in jobs] == [True, False, False, False]
    assert folder.result(jobs[1]) is None  # not failed


def test_jobs_side_by_side_are_each_trained_once(folder, jobs, monkeypatch):
    seen = []
    begin = runner.StudyProgress.begin

    def noted(progress, job):
        begin(progress, job)
        seen.append(len(progress._running))

    monkeypatch.setattr(runner.StudyProgress, "begin", noted)
    runner.run(folder, jobs, stub_training.train_slowly, stub_training.choose, num_workers=2)
    assert sorted(calls(folder)) == sorted(job.name for job in jobs)
    assert all(folder.is_finished(job) for job in jobs)
    assert max(seen) == 2


def test_jobs_side_by_side_share_the_processors_and_a_lone_one_has_all(folder, monkeypatch):
    monkeypatch.setattr("pipeline.common.cpu.count", lambda: 8)
    seen = []
    monkeypatch.setattr(pool, "Worker", lambda threads, **limits: seen.append(threads) or Worker(**limits))
    for num_workers in (1, 3):
        runner.run(folder, [], stub_training.train, stub_training.choose, num_workers)
    assert seen == [0, 2, 2, 2]


def test_threads_are_the_workers_own():
    before = os.environ.get(THREADS[0])
    with Worker(threads=2) as limited:
        limited.submit(os.getenv, THREADS[0])
        assert limited.result() == "2"
    assert os.environ.get(THREADS[0]) == before
