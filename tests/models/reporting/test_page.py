"""The report page: whole, escaped, and in need of nothing else."""

import base64
import hashlib
import json
import pathlib
import re
from html.parser import HTMLParser

import pytest
import tensorflow as tf
from markupsafe import escape

from models.config import saved
from models.optimizers import schedules
from models.reporting import page
from models.runs import schemas
from pipeline.common import json_values
from tests.models.reporting.run_files import (
    CONFIG,
    REPORT,
    make_calibration,
    make_confusion,
    make_mistakes,
    make_rows,
    without,
)

VOID = {"meta", "link", "wbr", "br", "img", "input"}


class Reader(HTMLParser):
    """The page's elements, its text, and whether every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.words = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag in ("th", "td"):
            self.words.append(" ")

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self):
        return " ".join("".join(self.words).split())


@pytest.fixture
def no_charts(monkeypatch):
    """Drawing takes most of a page's time; most tests are about the rest."""
    monkeypatch.setattr(page, "CHARTS", ())


@pytest.fixture
def written(make_run, no_charts):
    """Writes the page of a made run, without charts; returns its text."""

    def write(*arguments, **keywords):
        run = make_run(*arguments, **keywords)
        page.write(run)
        assert not list(run.path.glob("*.partial*"))
        return (run.path / "report.html").read_text(encoding="utf-8")

    return write


@pytest.fixture(scope="module")
def whole():
    """The page of a usual run, charts included."""
    return page.render(page.Contents(pathlib.Path("runs/quick"), CONFIG, make_rows(), REPORT))


def test_it_has_every_figure_of_the_report(written):
    text = Reader(written(report={"split": "test"})).text
    for figure in (
        "CIFAR-100",
        "Fine accuracy 59.37 %",
        "Coarse, from its head 71.04 %",
        "Coarse, summed from fine 72.18 % the model's own",
        "Evaluated on test 10,000 examples",
        "Training time 253.4 s 4 min, 6 epochs, 469 steps",
        "Throughput 947 images/s",
        "Peak memory 2,217 MiB",
        "Training cost 0.313 PFLOP",
        "Precision mixed_bfloat16",
        "Parameters 1,234,568",
        "40,000 training, 10,000 validation and 10,000 test images",
        "tensorflow 2.21.0",
        "device An 8-core processor, 8 threads, avx2",
        "commit 0123456789abcdef0123456789abcdef01234567+changes",
    ):
        assert figure in text


def test_it_has_the_whole_configuration(written):
    text = Reader(written()).text
    for name, value in CONFIG.items():
        assert (f"{name} {'-' if value == '' else value} " in text) == (name != saved.FORMAT)


def test_it_has_a_row_of_each_epoch(written):
    text = Reader(written()).text
    assert "epoch step last learning rate training objective validation objective training fine, %" in text
    assert "1 78 1.33 5.1000 5.1310 14.00 17.10 25.00 28.10 30.10 947 1,800 42.2 2 156" in text
    assert "6 468 0 2.6459 2.6769 59.42 62.52 70.42 73.52 75.52 947 1,805 253.2 Configuration" in text


def test_it_is_well_formed_and_has_a_chart_of_what_the_rows_hold(whole):
    reader = Reader(whole)
    assert reader.open == []
    assert [tag for tag, _ in reader.elements].count("svg") == 6


def test_rows_of_earlier_versions_have_no_chart_of_the_memory():
    rows = [{key: value for key, value in row.items() if key != "rss_mib"} for row in make_rows(1)]
    text = page.render(page.Contents(pathlib.Path("runs/quick"), CONFIG, rows, REPORT))
    assert text.count("<svg") == 5
    assert "memory, MiB" not in text


def test_it_needs_no_other_file(whole):
    reader = Reader(whole)
    loaded = [values.get("src") or values.get("href") for tag, values in reader.elements if tag not in ("use", "a")]
    assert [address for address in loaded if address] == ["data:,"]
    assert re.findall(r"@import|url\((?!#)", whole) == []


def test_it_lets_no_script_run_but_its_own(whole):
    assert "default-src 'none'" in whole
    (digest,) = re.findall(r"script-src 'sha256-([^']+)'", whole)
    (script,) = re.findall("<script>(.*?)</script>", whole, re.DOTALL)
    assert base64.b64decode(digest) == hashlib.sha256(script.encode()).digest()
    assert "script-src 'unsafe" not in whole


@pytest.mark.parametrize(
    "name", ["preset", "device", "git_commit", "dataset", "precision", "precision_reason", "split"]
)
def test_a_value_of_the_report_is_escaped(written, name):
    text = written(report={name: '<script>alert("1")</script>'})
    assert text.count("<script") == 1  # its own
    assert escape('<script>alert("1")</script>') in text.replace("<wbr>", "")


def test_names_and_values_of_the_configuration_and_the_versions_are_escaped(written):
    config, report = {**CONFIG, "data_dir": "<script>1</script>", "<b>": 1}, {**REPORT, "versions": {"<i>": "<u>"}}
    text = page.render(page.Contents(pathlib.Path("runs/quick"), config, make_rows(1), report))
    assert not re.search("<(b|i|u)>", text)
    assert text.count("<script") == 1  # its own
    for value in ("<script>1</script>", "<b>", "<i>", "<u>"):
        assert escape(value) in text


def test_the_command_quotes_the_run_folder():
    text = page.command_to_repeat(pathlib.Path("runs/my run"))
    assert "--config='runs/my run/config.json' --run_dir='runs/my run-again'" in text


@pytest.mark.usefixtures("no_charts")
def test_the_command_repeats_the_run_elsewhere(make_run):
    run = make_run()
    page.write(run)
    text = Reader((run.path / "report.html").read_text(encoding="utf-8")).text
    assert f"python -m models.train --config={run.path}/config.json --run_dir={run.path}-again" in text


def test_a_stand_in_shouts_first_and_last(written):
    reader = Reader(written({"dataset": "shapes100"}, {"dataset": "shapes100"}))
    shout = "This is shapes100, a generated stand-in, NOT CIFAR-100; set --archive to train on the real data"
    body = reader.text.removeprefix("shapes100, quick").strip()
    assert body.startswith(shout)
    assert body.endswith(shout)
    assert [tag for tag, values in reader.elements if values.get("role") == "alert"] == ["p", "p"]


def test_cifar100_does_not_shout(written):
    assert "NOT CIFAR-100" not in written()


def test_a_single_head_leaves_the_other_heads_columns_out(written):
    rows = [without(row, "coarse_accuracy", "coarse_loss") for row in make_rows()]
    text = Reader(written(report={"coarse_accuracy": None, "coarse_source": "head"}, rows=rows)).text
    assert "Coarse, from its head -" in text
    assert "Coarse, summed from fine 72.18 % the model's own" in text
    assert "validation coarse head, %" not in text
    assert "validation coarse from fine, %" in text
    assert "None" not in text


@pytest.mark.parametrize("source", ["head", "summed"])
@pytest.mark.parametrize("shown", ["validation", "test"])
def test_the_coarse_figure_of_the_other_split_is_the_model_s_own_too(written, source, shown):
    """It was the coarse head's, beside the model's own of the split that is shown."""
    accuracies = {"fine_accuracy": 0.5, "coarse_accuracy": 0.61, "coarse_from_fine_accuracy": 0.62}
    evaluations = {"validation": {"split": "validation", **accuracies}, "test": {"split": "test", **accuracies}}
    text = Reader(written(report={"split": shown, "coarse_source": source, "evaluations": evaluations})).text
    other = {"validation": "test", "test": "validation"}[shown]
    assert f"on {other}: fine 50.00 %, coarse {'61.00' if source == 'head' else '62.00'} %" in text


@pytest.mark.parametrize(
    ("values", "peak_epoch"),
    [
        ({}, 1.5),  # in the second of six epochs, neither of whose ends has it
        ({"schedule": "warmup_cosine", "warmup_fraction": 0.1}, 0.6),
        ({"warmup_fraction": 0.0}, 0.0),
    ],
)
def test_the_curve_of_the_learning_rate_has_its_peak(values, peak_epoch):
    """The chart had the rate of each epoch's last step alone."""
    config = {**CONFIG, **values}
    _, train = saved.configs(config)
    steps = (79, 157, 235, 313, 391, 469)
    rows = [{"epoch": epoch, "step": step, "learning_rate": 0.0} for epoch, step in enumerate(steps, start=1)]
    for row in rows:
        row["learning_rate"] = float(schedules.learning_rate(train, tf.constant(row["step"] - 1), 469))
    curve = page.learning_rates(config, 40_000, rows)
    epoch, rate = max(curve, key=lambda point: point[1])
    assert (epoch, rate) == (pytest.approx(peak_epoch, abs=0.02), pytest.approx(2.0, rel=0.01))
    at_ends = dict(curve)
    assert [at_ends[row["epoch"]] for row in rows] == pytest.approx([row["learning_rate"] for row in rows])
    rows[-1]["learning_rate"] *= 0.5  # after a rollback
    assert page.learning_rates(config, 40_000, rows)[-2][1] == pytest.approx(curve[-2][1] / 2)
    assert page.learning_rates({**config, "schedule": "constant"}, 40_000, rows) == []


def test_a_run_without_validation(written):
    report = {"num_validation": 0, "examples_evaluated": 0, "git_commit": None}
    missing = dict.fromkeys(("fine_accuracy", "coarse_accuracy", "coarse_from_fine_accuracy", "loss"))
    text = Reader(written(report={**report, **missing}, rows=[without(r, "validation") for r in make_rows(1)])).text
    assert "Fine accuracy -" in text
    assert "Nothing was held out for validation." in text
    assert "validation fine, %" not in text
    assert "commit not a git checkout" in text
    assert "None" not in text


@pytest.mark.parametrize(
    ("resolutions", "num_validation", "is_explained"),
    [
        ("16:0.5,32:0.5", 10_000, True),
        ("16:0.5,32:0.5", 0, False),
        ("32:1.0", 1, False),
        ("", 1, False),
    ],
)
def test_several_resolutions_explain_low_validation_accuracies(resolutions, num_validation, is_explained):
    contents = page.Contents(
        pathlib.Path("runs/quick"),
        {**CONFIG, "resolutions": resolutions},
        make_rows(1),
        {**REPORT, "num_validation": num_validation},
    )
    assert ("16, then 32 pixels" in page.render(contents)) == is_explained


def test_the_test_split_is_told_from_the_curves(written):
    assert "metrics above are on the test split" in written(report={"split": "test"})


def test_the_curves_are_the_cards_split_where_it_is_validation(written):
    assert "metrics above are on the test split" not in written()


def test_a_value_missing_in_one_epoch_alone_is_a_dash(written):
    first, *others = make_rows()
    assert "<td>-</td>" in written(rows=[without(first, "validation"), *others])


@pytest.mark.usefixtures("no_charts")
def test_an_evaluated_run_shows_its_confusions_and_another_nothing_of_them(make_run):
    run = make_run()
    page.write(run)
    assert "Confusion matrix" not in run.page.read_text(encoding="utf-8")
    run.write_evaluated("confusion", make_confusion())
    page.write(run)
    reader = Reader(run.page.read_text(encoding="utf-8"))
    assert reader.open == []
    assert "Confusion matrix Test split, 10,000 examples, single view." in reader.text
    pictures = [values["xlink:href"] for tag, values in reader.elements if tag == "image"]
    assert len(pictures) == 2  # a matrix each
    assert all(address.startswith("data:image/png;base64,") for address in pictures)


def test_the_same_run_gives_the_same_page(whole):
    assert page.render(page.Contents(pathlib.Path("runs/quick"), CONFIG, make_rows(), REPORT)) == whole


def test_a_run_without_validation_or_coarse_head_has_its_charts():
    rows = [without(row, "validation", "coarse") for row in make_rows(1)]
    text = page.render(page.Contents(pathlib.Path("runs/quick"), CONFIG, rows, {**REPORT, "num_validation": 0}))
    assert text.count("<svg") == 6
    assert ">training, fine<" in text
    assert ">validation, fine<" not in text


def test_one_level_of_labels_is_not_called_fine():
    rows = [without(row, "coarse") for row in make_rows(2)]
    one_level = without(REPORT, "coarse")
    document = {**make_confusion(), "coarse": None, "coarse_source": None}
    text = page.render(page.Contents(pathlib.Path("runs/quick"), {"dataset": "folder:pets"}, rows, one_level, document))
    assert ">validation<" in text
    assert "fine" not in Reader(text).text.lower()


@pytest.mark.parametrize("name", REPORT)
def test_a_report_without_a_field_is_refused_or_drawn(name, make_run, no_charts):
    report = {key: value for key, value in REPORT.items() if key != name}
    run = make_run()
    try:
        json_values.check(report, schemas.REPORT)
    except ValueError:
        return
    assert "</html>" in page.render(
        page.Contents(run.path, run.config(), run.rows(), report, run.evaluated("confusion"))
    )


@pytest.mark.usefixtures("no_charts")
def test_the_script_has_every_count_of_the_matrix(make_run):
    run = make_run()
    document = make_confusion()
    document["fine"]["names"][0] = "</script><script>alert(1)</script>"
    run.write_evaluated("confusion", document)
    page.write(run)
    text = run.page.read_text(encoding="utf-8")
    assert text.count("<script") == 3  # its own, and the counts of two matrices
    fine, coarse = (json.loads(found) for found in re.findall('<script type="application/json">(.*?)</script>', text))
    assert fine["names"] == [name.replace("_", " ") for name in document["fine"]["names"]]
    assert sum(count for _, _, count in fine["counts"]) == 10_000
    assert all(document["fine"]["counts"][row][column] == count for row, column, count in fine["counts"])
    assert len(set(fine["superclasses"])) == 20
    assert coarse["superclasses"] is None  # they are the classes
    assert text.count('<input list="classes"') == 1


@pytest.mark.usefixtures("no_charts")
def test_a_calibrated_run_shows_both_temperatures_of_the_model_s_own_answers(make_run):
    run = make_run(report={"split": "test"})
    run.write_evaluated("calibration", make_calibration())
    page.write(run)
    reader = Reader(run.page.read_text(encoding="utf-8"))
    assert "fine 1.000 1.5800 0.0812 0.5430 0.1870 fine 1.230 1.4220" in reader.text
    assert "coarse from fine 1.000 1.0270" in reader.text
    assert "coarse from fine 1.200 0.8690" in reader.text
    assert "fitted on validation. 35.00 % of the fine mistakes predict a class of the true superclass." in reader.text
    assert "87.00 % of the examples have a fine prediction of the superclass" in reader.text
    assert {"Reliability", "Risk and coverage"} <= set(re.findall("<figcaption>(.*?)<", str(run.page.read_text())))


@pytest.mark.usefixtures("no_charts")
def test_the_calibration_of_another_split_is_not_shown(make_run):
    run = make_run(report={"split": "test"})
    calibration = make_calibration()
    del calibration["splits"]["test"]
    run.write_evaluated("calibration", calibration)
    page.write(run)
    assert "Calibration" not in run.page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("no_charts")
def test_the_most_confident_mistakes_have_their_pictures(make_run):
    run = make_run()
    run.write_evaluated("mistakes", make_mistakes())
    page.write(run)
    reader = Reader(run.page.read_text(encoding="utf-8"))
    assert "apple, predicted as pear with 98.7 %" in reader.text
    (picture,) = [values for tag, values in reader.elements if tag == "img"]
    assert picture == {"alt": "apple", "src": f"data:image/png;base64,{make_mistakes()['mistakes'][0]['png']}"}


def test_the_differences_from_the_preset_have_its_values(written):
    report = {"preset_changes": {"epochs": 8.0, "heads": "fine"}, "preset_values": {"epochs": 6.0, "heads": "both"}}
    assert "field this run quick epochs 8.0 6.0 heads fine both" in Reader(written(report=report)).text


@pytest.mark.parametrize(
    ("counts", "sentence", "num_charts"),
    [
        ({"fine": [400] * 100, "coarse": [2000] * 20}, "400 of each fine class; 2,000 of each coarse class", 0),
        ({"fine": [7, 1200, 30]}, "7 to 1,200 of a class, median 30", 1),
    ],
)
def test_the_numbers_of_examples_of_the_classes(written, counts, sentence, num_charts):
    text = written(report={"examples_per_class": counts})
    assert f"Training images: {sentence}." in Reader(text).text
    assert text.count("<svg") == num_charts


def test_markdown_has_the_figures_of_the_page(make_run, no_charts):
    run = make_run(
        report={"dataset": "folder:a_b|c", "preset_changes": {"epochs": 8.0}, "preset_values": {"epochs": 6}}
    )
    run.write_evaluated("confusion", make_confusion())
    run.write_evaluated("calibration", {**make_calibration(), "fitted_on": None})
    run.write_evaluated("mistakes", make_mistakes())
    page.write(run)
    text = (run.path / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# folder:a\\_b\\|c\n")
    for line in (
        "| Fine accuracy | 59.37 % |  |",
        "| fine | 1.230 | 1.4220 | 0.0731 | 0.4887 | 0.1683 |",
        "| apple | pear | 40 | yes |",
        "| 12 | apple | pear | 98.7 |",
        "| epochs | 8.0 | 6 |",
        f"    python -m models.train --config={run.path}/config.json --run_dir={run.path}-again",
    ):
        assert line in text.splitlines()
    assert "No temperature is fitted. 34.00 % of the fine mistakes" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)
