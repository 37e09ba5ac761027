"""The table on the terminal."""

import io

import pytest
from rich.console import Console

from models.reporting import figures, table
from tests.models.reporting.run_files import without

SHOUT = "This is shapes100, a generated stand-in, NOT CIFAR-100; set --archive to train on the real data"


def shown(run, *, terminal=False, width=80):
    """The lines printed, without what a terminal would colour."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=terminal, color_system=None)
    table.show(run, console)
    table.show_page(run, console)
    return stream.getvalue().splitlines()


def line_of(lines, name):
    (found,) = [line for line in lines if name in line]
    return " ".join(found.split())


def test_it_has_every_figure(make_run):
    lines = shown(make_run(report={"split": "test", "examples_evaluated": 9_000}))
    assert lines[0].strip() == "CIFAR-100, preset quick"
    assert [" ".join(line.split()) for line in lines[1:-1]] == [
        "Fine accuracy 59.37 %",
        "Coarse, from its head 71.04 %",
        "Coarse, summed from fine 72.18 % the model's own",
        "Evaluated on test 9,000 examples",
        "Training time 253.4 s 4 min, 6 epochs, 469 steps",
        "Throughput 947 images/s",
        "Peak memory 2,217 MiB resident, whole process",
        "Training cost 0.313 PFLOP forward and backward",
        "Executed 0.256 PFLOP and 0.0189 by the optimizer",
        "Precision mixed_bfloat16",
        "Parameters 1,234,568",
    ]


def test_reports_of_earlier_versions_do_not_say_what_was_executed(make_run):
    report = make_run().report()
    del report["executed_petaflop"], report["optimizer_petaflop"]
    assert "Executed" not in [item.name for item in figures.costs(report)]


def test_the_last_line_names_the_page_whole(make_run):
    run = make_run()
    assert shown(run, width=30)[-1] == f"Report: {run.page}"


def test_without_a_console_it_prints_to_standard_output(make_run, capsys):
    table.show(make_run())
    assert "59.37 %" in capsys.readouterr().out


def test_the_coarse_source_is_marked(make_run):
    lines = shown(make_run(report={"coarse_source": "head"}))
    assert line_of(lines, "from its head") == "Coarse, from its head 71.04 % the model's own"
    assert line_of(lines, "summed from fine") == "Coarse, summed from fine 72.18 %"


def test_a_single_fine_head_answers_by_its_sum(make_run):
    lines = shown(make_run(report={"coarse_accuracy": None, "coarse_source": "head"}))
    assert line_of(lines, "from its head") == "Coarse, from its head -"
    assert line_of(lines, "summed from fine") == "Coarse, summed from fine 72.18 % the model's own"


def test_nothing_held_out_shows_dashes(make_run):
    missing = without(dict.fromkeys(("fine_accuracy", "coarse_accuracy", "coarse_from_fine_accuracy"), 0), "accuracy")
    lines = shown(make_run(report={**missing, "num_validation": 0, "examples_evaluated": 0}))
    for name in ("Fine accuracy", "Coarse, from its head", "Coarse, summed from fine"):
        assert line_of(lines, name) == f"{name} -"
    assert line_of(lines, "Evaluated on") == "Evaluated on validation nothing was held out"


def test_a_stand_in_shouts_once_before_the_results_when_piped(make_run):
    lines = shown(make_run(report={"dataset": "shapes100"}))
    assert [place for place, line in enumerate(lines) if line == SHOUT] == [0]
    assert not [line for line in lines if "─" in line]


def test_a_stand_in_shouts_before_the_results_on_a_terminal(make_run):
    lines = shown(make_run(report={"dataset": "shapes100"}), terminal=True)
    assert " ".join(" ".join(lines[:4]).replace("│", "").split()[1:-1]) == SHOUT
    assert max(len(line) for line in lines if "─" in line) <= 80


def test_cifar100_does_not_shout(make_run):
    assert not [line for line in shown(make_run()) if "NOT CIFAR-100" in line]


def test_the_tiny_stand_in_says_its_own_name():
    assert figures.stand_in_warning("shapes100_tiny").startswith("This is shapes100_tiny,")


def test_markup_in_a_value_is_shown_as_it_is(make_run):
    lines = shown(make_run(report={"preset": "[red]:smile:", "precision": "[b]"}))
    assert "preset [red]:smile:" in lines[0]
    assert line_of(lines, "Precision") == "Precision [b]"


def test_a_terminal_that_knows_ascii_alone_gets_ascii(make_run):
    binary = io.BytesIO()
    stream = io.TextIOWrapper(binary, encoding="ascii")
    table.show(make_run(report={"dataset": "shapes100"}), Console(file=stream, width=80, force_terminal=True))
    stream.flush()
    assert b"NOT CIFAR-100" in binary.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"), [(59, ""), (253.4, "4 min, "), (3_600, "1 h 0 min, "), (9_000, "2 h 30 min, ")]
)
def test_long_times_are_also_said_in_minutes(make_run, seconds, words):
    lines = shown(make_run(report={"train_seconds": seconds, "epochs": 1.0}))
    assert line_of(lines, "Training time") == f"Training time {seconds:,.1f} s {words}1 epoch, 469 steps"


@pytest.mark.parametrize(
    ("value", "words"), [(None, "-"), (0, "0"), (0.31274, "0.313"), (99.96, "100"), (12_345.6, "12,346")]
)
def test_brief_keeps_three_digits(value, words):
    assert figures.brief(value) == words


def test_title_names_what_differs_from_the_preset(make_run):
    lines = shown(make_run(report={"preset_changes": {"epochs": 8.0, "learning_rate": 0.1 + 0.2, "heads": "fine"}}))
    assert lines[0].strip() == "CIFAR-100, preset quick with epochs=8.0, learning_rate=0.3, heads=fine"


def calibrated(temperature, **values):
    """A report's calibration of an answer; without a temperature there is nothing after it."""
    before = {"ece": 0.081234, "nll": 1.58, "brier": 0.543}
    after = {"ece": 0.0123, "nll": 1.5, "brier": 0.53} if temperature else None
    return {"temperature": temperature, "before": before, "after": after, **values}


def test_calibration_is_of_the_fine_answer_and_of_the_own_coarse_one(make_run):
    answers = {name: calibrated(1.25) for name in ("fine", "coarse", "coarse_from_fine")}
    answers["coarse"]["after"]["ece"] = 0.5
    lines = shown(make_run(report={"calibration": {"validation": answers, "test": {}}}), width=160)
    expected = "1.23 % NLL 1.5000, Brier score 0.5300; before temperature 1.250: 8.12 %, 1.5800, 0.5430"
    assert line_of(lines, "error, fine") == f"Calibration error, fine {expected}"
    assert line_of(lines, "error, coarse") == f"Calibration error, coarse from fine {expected}"


@pytest.mark.parametrize(("num_validation", "reason"), [(0, "nothing was held out"), (9, "--split=validation fits it")])
def test_calibration_without_a_temperature_says_why(make_run, num_validation, reason):
    answers = {"calibration": {"validation": {"fine": calibrated(None)}}, "num_validation": num_validation}
    one_level = {"coarse_source": None, "coarse_accuracy": None, "coarse_from_fine_accuracy": None}
    line = line_of(shown(make_run(report={**answers, **one_level}), width=160), "Calibration")
    assert line == f"Calibration error 8.12 % NLL 1.5800, Brier score 0.5430; no temperature: {reason}"


def test_split_without_an_evaluation_has_no_calibration(make_run):
    lines = shown(make_run(report={"calibration": {"test": {"fine": calibrated(1.25)}}}))
    assert "Calibration" not in "".join(lines)
