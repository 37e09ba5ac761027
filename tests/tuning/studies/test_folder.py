"""A study's folder takes more jobs of its own, and nothing else."""

import contextlib
import dataclasses
import io
import json
import os
import pathlib
import re
import shutil
import threading

import pytest
from rich.console import Console

from models.runs.folder import open_locked
from pipeline.common import errors, files, progress
from pipeline.datasets.canonical import Fingerprints
from tests.models.reporting.run_files import make_rows
from tests.tuning.stub_training import outcome
from tuning.studies import folder as study_folder
from tuning.studies import progress as study_progress
from tuning.studies.design import num_steps
from tuning.studies.progress import time_left


def rows(*steps):
    return "".join(json.dumps({**make_rows(1)[0], "step": step}) + "\n" for step in steps)


@contextlib.contextmanager
def claim(path, jobs, study="normalisation", budget="smoke"):
    with study_folder.open_study(path, study, budget, jobs) as folder:
        folder.settle_data(Fingerprints("records", "order"))
        yield folder


@pytest.mark.parametrize(
    ("there", "words"), [(Fingerprints("a", "b"), "another order"), (Fingerprints("b", "b"), "other records")]
)
def test_other_data_are_refused(jobs, tmp_path, there, words):
    with study_folder.open_study(tmp_path, "normalisation", "smoke", jobs) as folder:
        folder.settle_data(there)
        with pytest.raises(errors.BadArgumentError, match=rf"^study_dir=.*: started on .*{words}"):
            folder.settle_data(Fingerprints("a", "c"))


def test_study_that_is_refused_leaves_its_folder_as_it_was(jobs, tmp_path):
    with claim(tmp_path, jobs[:1]):
        before = (tmp_path / "study.json").read_bytes()
    with (
        pytest.raises(errors.BadArgumentError, match="started on"),
        study_folder.open_study(tmp_path, "normalisation", "smoke", jobs) as folder,  # with another variant
    ):
        folder.settle_data(Fingerprints("others", "others"))
    assert (tmp_path / "study.json").read_bytes() == before
    with study_folder.open_study(tmp_path / "new", "normalisation", "smoke", jobs):
        pass
    assert not (tmp_path / "new").exists()


def test_more_seeds_and_variants_are_welcome(jobs, tmp_path):
    with claim(tmp_path, jobs[:1]) as folder:
        folder.write_finished(jobs[0], outcome(jobs[0]), 1.0)
    with claim(tmp_path, jobs[1:]) as folder:
        assert folder.is_finished(jobs[0])
    assert set(json.loads((tmp_path / "study.json").read_text())["variants"]) == {"unit", "standardise"}


def test_variant_of_another_configuration_is_refused_in_one_line(jobs, tmp_path):
    with claim(tmp_path, jobs):
        pass
    before = (tmp_path / "study.json").read_bytes()
    other = [dataclasses.replace(job, train=dataclasses.replace(job.train, learning_rate=9.0)) for job in jobs]
    message = r"another configuration: unit: learning_rate=0.001 there, 9.0 given; choose another --study_dir"
    with pytest.raises(errors.BadArgumentError, match=message), claim(tmp_path, other[::2]):
        pass
    with (
        pytest.raises(errors.BadArgumentError, match="budget='smoke' there, 'full' given"),
        claim(tmp_path, jobs, budget="full"),
    ):
        pass
    assert (tmp_path / "study.json").read_bytes() == before


def test_variant_of_another_configuration_is_refused_where_only_its_report_would_mix(jobs, tmp_path):
    with claim(tmp_path, jobs):
        pass
    changed = dataclasses.replace(jobs[0], train=dataclasses.replace(jobs[0].train, learning_rate=9.0))
    message = r"another configuration: unit: learning_rate=0.001 there, 9.0 given"
    with (
        pytest.raises(errors.BadArgumentError, match=message),
        study_folder.open_study(tmp_path, "normalisation", "smoke", jobs[1:2], [changed]),
    ):
        pass
    with study_folder.open_study(tmp_path / "new", "normalisation", "smoke", jobs[1:2], [changed]) as folder:
        folder.settle_data(Fingerprints("records", "order"))
        kept = json.loads((tmp_path / "new" / "study.json").read_text())
    assert set(kept["variants"]) == {"standardise"}


def test_damaged_description_is_one_line_where_a_job_has_begun(jobs, tmp_path):
    (tmp_path / "study.json").write_text('{"study": "normal')
    with claim(tmp_path, jobs) as folder:
        folder.run_dir(jobs[0]).mkdir(parents=True)
    (tmp_path / "study.json").write_text('{"study": "normal')
    with (
        pytest.raises(errors.FailedError, match=r"^study_dir=.*: study\.json is damaged"),
        claim(tmp_path, jobs),
    ):
        pass


def test_study_of_an_earlier_version_goes_on_where_the_new_field_has_its_default(jobs, tmp_path):
    with claim(tmp_path, jobs):
        pass
    identity = json.loads((tmp_path / "study.json").read_text())
    for config in identity["variants"].values():
        del config["patience"]
    (tmp_path / "study.json").write_text(json.dumps(identity))
    with claim(tmp_path, jobs):
        pass
    other = [dataclasses.replace(job, train=dataclasses.replace(job.train, patience=3)) for job in jobs]
    with pytest.raises(errors.BadArgumentError, match="patience=0 there, 3 given"), claim(tmp_path, other):
        pass


def test_moved_data_are_the_same_study(jobs, tmp_path):
    with claim(tmp_path, jobs):
        pass
    moved = [dataclasses.replace(job, data=dataclasses.replace(job.data, data_dir="/elsewhere")) for job in jobs]
    with claim(tmp_path, moved) as folder:
        assert folder.path == tmp_path


def test_moved_study_goes_on_with_its_job_under_way(jobs, tmp_path, monkeypatch):
    def open_job(path) -> None:
        with claim(path, jobs) as folder, open_locked(folder.run_dir(jobs[0]), jobs[0].config, jobs[0].identity) as run:
            run.checkpoint.parent.mkdir(exist_ok=True)
            run.checkpoint.touch()

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    open_job("a")
    shutil.move("a", "b")
    (tmp_path / "link").symlink_to("b")
    for path in ("b/", "~/b", "link/../b", tmp_path / "link"):
        open_job(path)
    assert {path.name for path in tmp_path.iterdir()} == {"b", "link"}


def test_folder_of_something_else_and_no_folder_are_refused(jobs, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(errors.BadArgumentError, match=r"'thesis.tex'"), claim(tmp_path, jobs):
        pass
    with (
        pytest.raises(errors.BadArgumentError, match=r"study_dir=.*/study: expected a folder"),
        claim(tmp_path / "thesis.tex" / "study", jobs),
    ):
        pass


def test_second_process_is_kept_out(jobs, tmp_path):
    with (
        claim(tmp_path, jobs),
        pytest.raises(errors.FailedError, match=r"^study_dir=.* another process"),
        claim(tmp_path, jobs),
    ):
        pass


def test_run_folder_disappears_whole(jobs, tmp_path):
    with claim(tmp_path, jobs) as folder:
        run = folder.run_dir(jobs[0])
        for _ in range(2):
            run.mkdir(parents=True)
            (run / "config.json").touch()
            folder.remove_run(jobs[0])
            assert list((tmp_path / "runs").iterdir()) == []
        folder.remove_run(jobs[0])  # nothing there


def test_progress_of_a_cell_is_read_from_its_run(jobs, tmp_path):
    with claim(tmp_path, jobs) as folder:
        assert folder.steps_done(jobs[0]) == 0
        folder.run_dir(jobs[0]).mkdir(parents=True)
        (folder.run_dir(jobs[0]) / "metrics.jsonl").write_text(rows(3, 5))
        assert folder.steps_done(jobs[0]) == 5


def test_time_left_goes_by_the_variants_own_jobs_and_else_by_steps(jobs):
    done = {"variant": "unit", "status": "finished", "wall_seconds": 600.0}
    assert time_left([(jobs[2], 1.0)], [done], jobs) == "about 10 min left"
    assert time_left([(jobs[2], 0.25)], [done], jobs) == "about 2 min left"
    three = [(job, 1.0) for job in jobs[1:]]
    assert time_left(three, [done], jobs) == "about 30 min left"
    assert time_left(three, [done], jobs, num_workers=2) == "about 15 min left"
    assert time_left(three[:1], [done], jobs, num_workers=2) == "about 10 min left"  # nobody helps with the last one
    slow = {"variant": "standardise", "status": "finished", "wall_seconds": 6000.0}
    assert time_left([(jobs[3], 1.0)], [done, slow], jobs) == "about 1 h 40 min left"
    assert time_left(three, [{**done, "status": "failed"}], jobs) == ""
    assert time_left([], [done], jobs) == ""


def test_time_left_of_another_architecture_is_that_of_the_others_whatever_its_steps(jobs):
    other = dataclasses.replace(jobs[3], train=jobs[3].train.replace(architecture="alexnet", max_steps=1))
    done = {"variant": "unit", "status": "finished", "wall_seconds": 600.0}
    assert time_left([(other, 1.0)], [done], [jobs[0], other]) == "about 10 min left"


def test_what_is_kept_and_what_is_damaged_is_told(jobs, tmp_path):
    console = Console(file=io.StringIO(), width=200)
    with claim(tmp_path, jobs) as folder:
        for job in jobs[:2]:
            folder.write_finished(job, outcome(job), 1.0)
        (tmp_path / "cells" / f"{jobs[0].name}.json").write_text("no JSON")
        with study_progress.StudyProgress(folder, jobs, 1, console):
            pass
    assert console.file.getvalue().splitlines() == [
        f"{jobs[0].label}, seed 0: the result file is damaged; training again",
        "1 of 4 jobs are already finished",
    ]


def test_display_of_a_study_that_cannot_be_read_is_not_started(jobs, tmp_path, monkeypatch):
    threads = threading.active_count()
    console = Console(file=io.StringIO(), force_terminal=True)
    with claim(tmp_path, jobs) as folder:
        shown = study_progress.StudyProgress(folder, jobs, 1, console)
        monkeypatch.setattr(type(folder), "is_damaged", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError), shown:
            pass
    assert threading.active_count() == threads


def test_terminal_has_one_live_display_while_the_precision_is_chosen(jobs, tmp_path):
    console = Console(file=io.StringIO(), force_terminal=True, width=200)
    with (
        progress.shown(),
        claim(tmp_path, jobs) as folder,
        study_progress.StudyProgress(folder, jobs, 1, console) as shown,
    ):
        threads = threading.active_count()
        with shown.task("timing bfloat16"):
            assert threading.active_count() == threads
            shown._bar.refresh()
    assert "timing bfloat16" in console.file.getvalue()


def test_jobs_under_way_tell_the_time_left_before_the_first_has_ended(jobs, tmp_path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(study_progress.time, "perf_counter", lambda: clock[0])
    console = Console(file=io.StringIO(), force_terminal=True, width=200)
    with claim(tmp_path, jobs) as folder, study_progress.StudyProgress(folder, jobs, 1, console) as progress:
        progress.begin(jobs[0])
        assert " left" not in console.file.getvalue()
        folder.run_dir(jobs[0]).mkdir(parents=True)
        (folder.run_dir(jobs[0]) / "metrics.jsonl").write_text(rows(num_steps(jobs[0]) // 2))
        clock[0] += 600.0
        progress.advance()
        clock[0] += 300.0  # within the next epoch, of which nothing is told yet
        progress.advance()
        progress.__exit__(None, None, None)
        shown = console.file.getvalue()
        assert set(re.findall(r"about .*? left", shown)) == {"about 1 h 10 min left"}  # half of 20 min, and three jobs


def test_log_counts_what_a_job_under_way_has_done(jobs, tmp_path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(study_progress.time, "perf_counter", lambda: clock[0])
    console = Console(file=io.StringIO())
    with claim(tmp_path, jobs) as folder, study_progress.StudyProgress(folder, jobs, 1, console) as shown:
        shown.begin(jobs[0])
        folder.run_dir(jobs[0]).mkdir(parents=True)
        (folder.run_dir(jobs[0]) / "metrics.jsonl").write_text(rows(num_steps(jobs[0]) // 2))
        clock[0] += 600.0
        shown.advance()
        assert shown._line.done == pytest.approx(0.5, abs=0.01)
        assert shown._line.state(0.0).startswith(f"0 of {len(jobs)} jobs")


def test_what_a_kill_left_of_finished_jobs_is_removed_and_of_others_kept(jobs, tmp_path):
    with claim(tmp_path, jobs) as folder:
        folder.write_finished(jobs[0], outcome(jobs[0]), 1.0)
        for job in jobs[:2]:
            folder.run_dir(job).mkdir(parents=True)
        (tmp_path / "runs" / f".{jobs[0].name}.removed").mkdir()
    with claim(tmp_path, jobs):
        assert [path.name for path in (tmp_path / "runs").iterdir()] == [jobs[1].name]


def test_settled_precision_outlives_another_claim(jobs, tmp_path):
    with claim(tmp_path, jobs[:1]) as folder:
        assert folder.precision == "auto"
        folder.settle_precision("float32", "bfloat16 raised")
    with claim(tmp_path, jobs) as folder:
        assert (folder.precision, folder.precision_reason) == ("float32", "bfloat16 raised")


def test_result_is_on_the_disk_before_its_run_goes(jobs, tmp_path, monkeypatch):
    fsync, synced = os.fsync, []

    def record(descriptor):
        synced.append((pathlib.Path(f"/proc/self/fd/{descriptor}").resolve(), folder.run_dir(jobs[0]).exists()))
        fsync(descriptor)

    with claim(tmp_path, jobs) as folder:
        folder.run_dir(jobs[0]).mkdir(parents=True)
        monkeypatch.setattr(os, "fsync", record)
        folder.write_finished(jobs[0], outcome(jobs[0]), 1.0)
        assert not folder.run_dir(jobs[0]).exists()
    cells_dir, runs_dir = ((tmp_path / name).resolve() for name in ("cells", "runs"))
    (result, is_run_there), *folders = synced[-3:]
    assert (result.parent, files.is_partial(result.name), is_run_there) == (cells_dir, True, True)
    assert folders == [(cells_dir, True), (runs_dir, False)]


@pytest.mark.parametrize("damaged", [b"", b'{"status": "finis', b"\xff\xfe", b"[1]", b"{}"])
def test_damaged_result_is_none(jobs, tmp_path, damaged):
    with claim(tmp_path, jobs) as folder:
        for job in jobs[:2]:
            folder.write_finished(job, outcome(job), 1.0)
        (tmp_path / "cells" / f"{jobs[0].name}.json").write_bytes(damaged)
    with claim(tmp_path, jobs) as folder:
        assert not folder.is_finished(jobs[0])
        assert [result["variant"] for result in folder.results()] == [jobs[1].label]
