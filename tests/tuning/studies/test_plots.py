"""The pictures of a study: one for each thing that it has, names that do not run into each other."""

import itertools

import matplotlib.style
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from models.reporting import plot_style
from tests.tuning.studies.test_report import document, results
from tuning.studies import plots


@pytest.mark.parametrize(("name", "kinds"), [("single_vs_joint", ["bars", "curves"]), ("padding", ["bars", "curves"])])
def test_study_gets_its_pictures(name, kinds, tmp_path):
    report = document(name)
    paths = plots.draw(report, tmp_path)
    assert [path.name for path in paths] == [f"{kind}_{metric}.png" for metric in report["metrics"] for kind in kinds]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_two_factors_get_a_heat_map_even_with_holes(tmp_path):
    some = [result for result in results("activation_optimizer") if result["variant"] in ("relu-adam", "elu-sgd")]
    paths = plots.draw(document("activation_optimizer", some), tmp_path)
    assert "heat_map_fine_accuracy.png" in [path.name for path in paths]


def test_lengths_of_training_are_lines_of_both_splits_instead_of_a_heat_map(tmp_path):
    assert {path.name for path in plots.draw(document("augmentation_length"), tmp_path)} == {
        f"{kind}_fine_accuracy.png" for kind in ("bars", "curves", "lengths")
    }
    figure, report = figure_of(plots._lengths, "augmentation_length")
    lines = {line.get_label(): line for line in figure.axes[0].get_lines() if ":" in line.get_label()}
    sets = list(dict.fromkeys(row["levels"][0].replace("_", " ") for row in report["variants"]))
    assert set(lines) == {f"{name}: {split}" for name in sets for split in ("validation", "training")}
    validation = [100 * row["measured"]["fine_accuracy"]["mean"] for row in report["variants"][:: len(sets)]]
    assert list(lines["none: validation"].get_xdata()) == [2.0, 8.0, 24.0]
    assert list(lines["none: validation"].get_ydata()) == pytest.approx(validation)
    assert list(lines["none: training"].get_ydata()) == pytest.approx([0.75 * value for value in validation])
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["2", "8", "24"]


def test_nothing_finished_draws_nothing(tmp_path):
    assert plots.draw(document("normalisation", []), tmp_path) == []


def test_rows_of_one_point_have_no_curves_and_none_are_left_of_an_earlier_report(tmp_path):
    found = results("padding")
    plots.draw(document("padding", found), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"bars_fine_accuracy.png", "curves_fine_accuracy.png"}
    for one in found:
        one["rows"] = one["rows"][-1:]
    paths = plots.draw(document("padding", found), tmp_path)
    assert [path.name for path in paths] == [path.name for path in tmp_path.iterdir()] == ["bars_fine_accuracy.png"]


def figure_of(draw, name, metric="fine_accuracy", found=None):
    report = document(name, found)
    rows = [row for row in report["variants"] if row["measured"].get(metric, {}).get("values")]
    with matplotlib.style.context(["default", plot_style.STYLE]):
        figure = draw(report, rows, metric)
        FigureCanvasAgg(figure).draw()
    return figure, report


def overlapping(figure, texts):
    renderer = figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in texts if text.get_text()]
    return [pair for pair in itertools.combinations(boxes, 2) if pair[0].overlaps(pair[1])]


@pytest.mark.parametrize("name", ["fast_ablation", "activation_optimizer", "augmented_images"])
def test_bars_name_every_variant_once_and_apart(name):
    figure, report = figure_of(plots._bars, name)
    labels = figure.axes[0].get_yticklabels()
    measured = [row for row in report["variants"] if row["measured"]["fine_accuracy"]["values"]]
    assert [label.get_text() for label in labels] == [row["name"].replace("_", " ") for row in measured]
    assert overlapping(figure, [*labels, *figure.legends[0].get_texts()]) == []
    assert len(figure.axes[0].patches) == len(measured)
    for axes in figure.axes:
        box = axes.xaxis.label.get_window_extent()
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1  # nothing is cut off


def test_legend_of_every_verdict_is_not_cut_off():
    def accuracy(place, seed):
        return 0.5 + (0.3, -0.3, 0.0)[place % 3] * (place > 0) + 0.01 * seed + 0.001 * (place * 7 % 5) * seed

    figure, _ = figure_of(plots._bars, "activation_optimizer", found=results("activation_optimizer", accuracy))
    legend = figure.legends[0]
    assert len(legend.get_texts()) == 8
    box = legend.get_window_extent()
    assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1


def test_bars_begin_at_zero_and_show_seeds_and_the_studys_figure():
    figure, _ = figure_of(plots._bars, "pooling")
    left, right = figure.axes
    assert left.get_xlim()[0] == 0
    points = [line for line in left.get_lines() if line.get_marker() == "o"]
    assert [len(line.get_xdata()) for line in points] == [3] * 5
    diamonds = [float(line.get_xdata()[0]) for line in left.get_lines() if line.get_marker() == "D"]
    assert diamonds == pytest.approx([29.652, 33.974, 32.522])
    assert [text.get_text() for text in right.texts] == ["from max 4 blocks"] * 2
    assert right.get_xlabel() == "points from max, or as named, paired by seed"
    assert len([line for line in right.get_lines() if line.get_marker() in "<>o"]) == 4  # all but the reference


def test_interval_a_little_beyond_the_differences_stays_whole():
    figure, report = figure_of(
        plots._bars, "padding", found=results("padding", lambda place, seed: 0.5 + 0.006 * seed * place)
    )
    comparison = report["variants"][1]["measured"]["fine_accuracy"]["comparison"]
    least, most = figure.axes[1].get_xlim()
    assert 100 * comparison["high"] > 100 * comparison["difference"] + 0.6  # beyond the least margin
    assert least < 100 * comparison["low"] < 100 * comparison["high"] < most
    assert "arrow" not in figure.axes[1].get_xlabel()


def test_interval_that_is_cut_goes_on_in_an_arrow():
    def accuracy(place, seed):
        return 0.5 + 0.01 * place + (0.25, -0.25, 0.0)[seed] * (place == 1)  # as a mean, no difference to speak of

    figure, report = figure_of(plots._bars, "pooling", found=results("pooling", accuracy))
    right = figure.axes[1]
    least, most = right.get_xlim()
    cut = set()
    for place, row in enumerate(report["variants"]):
        comparison = row["measured"]["fine_accuracy"]["comparison"]
        if comparison is not None:
            cut |= {(least, place)} if 100 * comparison["low"] < least else set()
            cut |= {(most, place)} if 100 * comparison["high"] > most else set()
    arrows = {text.xy for text in right.texts if getattr(text, "arrow_patch", None) is not None}
    assert arrows == cut != set()
    assert right.get_xlabel().endswith("\n(an arrow: the interval goes on)")
    label = right.xaxis.label.get_window_extent()
    assert figure.bbox.x0 <= label.x0 < label.x1 <= figure.bbox.x1


def test_heat_map_tells_mean_and_deviation_of_each_pair():
    figure, report = figure_of(plots._heat_map, "activation_optimizer")
    axes = figure.axes[0]
    told = [text.get_text() for text in axes.texts]
    assert len(told) == 35
    assert (told[0], told[1], told[7]) == ("51.0\n± 1.0", "52.3\n± 1.1", "60.1 ▲\n± 1.7")  # relu-adam, -sgd, selu-adam
    assert [text.get_weight() for text in axes.texts] == ["normal"] * 34 + ["bold"]  # the stub's best is the last one
    assert overlapping(figure, [*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels()]) == []
    assert (axes.get_ylabel(), axes.get_xlabel()) == tuple(report["factors"])


def test_curves_of_equal_cost_end_at_it_however_many_images_it_bought():
    found = results("architectures")
    for one in found:
        one["report"]["train_petaflop"] = 0.1
        if one["variant"] == "alexnet":
            one["rows"] = [{**row, "step": 40 * row["step"]} for row in one["rows"]]
    axes = figure_of(plots._curves, "architectures", found=found)[0].axes[0]
    assert axes.get_xlabel() == "PetaFLOP"
    assert {round(max(line.get_xdata()), 6) for line in axes.get_lines()} == {0.1}
    axes = figure_of(plots._curves, "fast_ablation")[0].axes[0]
    assert {round(max(line.get_xdata()), 6) for line in axes.get_lines()} == {18 * 768 / 1000}


def test_curves_differ_by_colour_or_style():
    figure, report = figure_of(plots._curves, "fast_ablation")
    lines = figure.axes[0].get_lines()
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == len(lines) == len(report["variants"])
    assert overlapping(figure, figure.axes[0].get_legend().get_texts()) == []
