"""The comparison of runs: which can be compared, the figures, and a page that needs nothing else."""

import json
import pathlib
import re

import pytest

from models import report as binary
from models.reporting import comparison_page
from models.runs.folder import RunFolder
from pipeline.common import errors
from tests.binaries import call_here
from tests.models.reporting.run_files import CONFIG, REPORT, make_rows, without
from tests.models.reporting.test_page import Reader

LABELS = {"fine": [0, 1, 2, 3] * 25, "coarse": [0, 0, 1, 1] * 25}
# The first is right on all but 10 images, the second on all but 30 others and one of those 10.
FIRST = {"fine": [9] * 10 + LABELS["fine"][10:], "coarse": LABELS["coarse"]}
SECOND_LABELS = {"fine": LABELS["fine"]}
SECOND = {"fine": [9] + LABELS["fine"][1:70] + [9] * 30}


def evaluated(predicted, records="a", labels=None):
    return {"split": "validation", "records": records, "labels": labels or LABELS, "predicted": predicted}


@pytest.fixture
def make_runs(tmp_path):
    """Writes folders of runs with these predictions, and other values of the reports and configurations."""

    def make(*predictions, report=({}, {}), config=({}, {})):
        folders = []
        for number, values in enumerate(predictions):
            path = tmp_path / f"run{number}"
            path.mkdir()
            (path / "config.json").write_text(json.dumps({**CONFIG, **config[number % 2]}))
            (path / "report.json").write_text(json.dumps({**REPORT, "examples_evaluated": 100, **report[number % 2]}))
            (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in make_rows(2)))
            folders.append(RunFolder(path, "compare"))
            if values is not None:
                folders[-1].write_evaluated("predictions", values)
        return folders

    return make


def render(folders):
    return comparison_page.render(comparison_page.read(folders))


def test_differences_are_paired_by_image(make_runs):
    runs = comparison_page.read(make_runs(evaluated(FIRST), evaluated(SECOND, labels=SECOND_LABELS)))
    (row,) = comparison_page.differences(runs).rows  # the second has no coarse prediction
    assert row[:3] == ["run1", "fine", "-21.00"]
    assert row[4:6] == ["30", "9"]
    assert row[6] == "0.00107"
    low, high = map(float, row[3].split(" to "))
    assert low < -21 < high < 0


@pytest.mark.parametrize(
    ("first", "second", "answer"),
    [
        ("head", "head", "coarse head"),
        ("summed", "summed", "coarse from fine"),
        ("head", "summed", "coarse from fine (run0: coarse head)"),
    ],
)
def test_coarse_answers_are_named_by_their_sources(make_runs, first, second, answer):
    reports = ({"coarse_source": first}, {"coarse_source": second})
    runs = comparison_page.read(make_runs(evaluated(FIRST), evaluated(FIRST), report=reports))
    assert [row[1] for row in comparison_page.differences(runs).rows] == ["fine", answer]


def test_tiny_p_values_have_a_limit_instead_of_a_number(make_runs):
    labels = {"fine": [0] * 2000}
    runs = make_runs(evaluated(labels, labels=labels), evaluated({"fine": [1] * 2000}, labels=labels))
    (row,) = comparison_page.differences(comparison_page.read(runs)).rows
    assert row[6] == "< 0.001"
    text = render(runs)
    assert "&lt; 0.001" in text


def test_the_page_has_each_run_s_figures_and_needs_no_other_file(make_runs):
    text = render(
        make_runs(
            evaluated(FIRST),
            evaluated(SECOND, labels=SECOND_LABELS),
            report=({}, {"fine_accuracy": 0.4321}),
            config=({}, {"epochs": 9.0, "data_dir": "elsewhere"}),
        )
    )
    reader = Reader(text)
    assert reader.open == []
    assert "run0 run1 Preset quick quick Fine accuracy 59.37 % 43.21 %" in reader.text
    assert "field run0 run1 epochs 6.0 9.0" in reader.text
    assert "elsewhere" not in text
    assert text.count("<svg") == 4
    assert "<script" not in text
    assert "default-src 'none'" in text


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (None, "No predictions on validation of run1"),
        ({**evaluated(SECOND, labels=SECOND_LABELS), "split": "test"}, "No predictions on validation of run1"),
        (evaluated(SECOND, "b", SECOND_LABELS), "different images"),
        ({**evaluated({}), "labels": {}}, "no common level"),
        (evaluated(SECOND, labels={"fine": LABELS["fine"][::-1]}), "different images"),
    ],
)
def test_what_cannot_be_paired_is_compared_without(make_runs, second, words):
    text = Reader(render(make_runs(evaluated(FIRST), second))).text
    assert words in text
    assert "McNemar" not in text
    assert "Fine accuracy 59.37 % 59.37 %" in text


@pytest.mark.parametrize(("split", "is_paired"), [("validation", False), ("test", True)])
def test_runs_that_hold_out_by_another_seed_have_other_validation_images(make_runs, split, is_paired):
    values = {**evaluated(FIRST), "split": split}  # of equal labels, as of one class
    folders = make_runs(values, values, report=({"split": split},) * 2, config=({}, {"split_seed": 1}))
    text = Reader(render(folders)).text
    assert ("McNemar" in text, "num_validation or split_seed" in text) == (is_paired, not is_paired)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [("dataset", "folder:pets", "run0: cifar100, run1: folder:pets"), ("split", "test", "models.evaluate")],
)
def test_runs_of_several_data_sets_or_splits_are_refused(make_runs, key, value, words):
    folders = make_runs(evaluated(FIRST), evaluated(SECOND, labels=SECOND_LABELS), report=({}, {key: value}))
    with pytest.raises(errors.BadArgumentError, match=r"^compare: ") as raised:
        comparison_page.read(folders)
    assert words in str(raised.value)


def test_one_run_is_refused(make_runs):
    with pytest.raises(errors.BadArgumentError, match=r"got 1 run, expected 2 to 8"):
        comparison_page.read(make_runs(evaluated(FIRST)))


def test_the_same_run_twice_is_refused(make_runs, tmp_path):
    first, second = make_runs(evaluated(FIRST), evaluated(SECOND, labels=SECOND_LABELS))
    (tmp_path / "link").symlink_to(first.path)
    again = RunFolder(tmp_path / "link", "compare")
    with pytest.raises(errors.BadArgumentError, match=rf"^compare={again.path}: .*{first.path}.*expected .*once"):
        comparison_page.read([first, second, again])
    with pytest.raises(errors.BadArgumentError, match=rf"^compare={first.path}: "):
        comparison_page.read([first, first])


def test_names_of_runs_are_as_short_as_they_differ_and_escaped(make_runs, tmp_path):
    folders = make_runs(evaluated(FIRST), evaluated(SECOND, labels=SECOND_LABELS))
    for number, folder in enumerate(folders):
        (tmp_path / f"group{number}").mkdir()
        folder.path.rename(tmp_path / f"group{number}" / "<b>run")
    moved = [RunFolder(tmp_path / f"group{number}" / "<b>run") for number in range(2)]
    text = render(moved)
    assert "group0/&lt;b&gt;run" in text
    assert "<b>" not in text
    assert str(tmp_path) not in text


def test_the_binary_writes_the_page_and_prints_the_tables(make_runs, tmp_path, monkeypatch, capsys):
    folders = make_runs(evaluated(FIRST), evaluated(SECOND, labels=SECOND_LABELS))
    out = tmp_path / "new" / "comparison.html"
    compare = ",".join(str(folder.path) for folder in folders)
    assert call_here(monkeypatch, binary.main, binary.flags, f"--compare={compare}", f"--out={out}") == 0
    assert "</html>" in out.read_text()
    printed = capsys.readouterr().out
    assert "59.37 %" in printed
    assert "-21.00" in printed
    assert str(out) in printed


@pytest.mark.parametrize("name", ["report.json", "config.json"])
def test_a_file_of_a_run_is_not_replaced(make_runs, monkeypatch, capsys, name):
    first, second = make_runs(evaluated(FIRST), evaluated(SECOND, labels=SECOND_LABELS))
    out, before = first.path / name, (first.path / name).read_bytes()
    flags = (f"--compare={first.path},{second.path}", f"--out={out}")
    assert call_here(monkeypatch, binary.main, binary.flags, *flags) == 2
    assert re.search(f"^error: out={out}: ", capsys.readouterr().err)
    assert out.read_bytes() == before


@pytest.mark.parametrize("flags", [[], ["--run_dir=a", "--compare=b,c"]])
def test_one_of_both_flags_is_expected(monkeypatch, capsys, flags):
    assert call_here(monkeypatch, binary.main, binary.flags, *flags) == 2
    assert "--compare=FOLDER,FOLDER" in capsys.readouterr().err


def test_the_binary_draws_the_page_of_a_run_again(make_runs, monkeypatch, capsys):
    (folder,) = make_runs(evaluated(FIRST))
    assert call_here(monkeypatch, binary.main, binary.flags, f"--run_dir={folder.path}") == 0
    assert "59.37" in pathlib.Path(folder.page).read_text()
    assert (folder.path / "report.md").exists()
    assert str(folder.page) in capsys.readouterr().out


def test_one_level_of_labels_has_no_fine_accuracy(make_runs):
    one_level = {"coarse_source": None, "coarse_accuracy": None, "coarse_from_fine_accuracy": None}
    fine = {"fine": LABELS["fine"]}
    predictions = [evaluated({"fine": part["fine"]}, labels=fine) for part in (FIRST, SECOND)]
    folders = make_runs(*predictions, report=(one_level, one_level))
    for folder in folders:
        rows = [without(row, "coarse") for row in make_rows(2)]
        (folder.path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = render(folders)
    assert "-21.00" in text
    assert text.count("<svg") == 2
    assert not re.search("fine|coarse", Reader(text).text.split("Differences in the configuration")[0].lower())


def test_the_file_of_a_comparison_is_none_of_a_run(monkeypatch, capsys):
    assert call_here(monkeypatch, binary.main, binary.flags, "--run_dir=a", "--out=b.html") == 2
    assert "out=b.html" in capsys.readouterr().err
