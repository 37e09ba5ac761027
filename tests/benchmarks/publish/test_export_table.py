"""The table of exports has a line for each format of each run, and works without results."""

import json

from benchmarks.publish import export_table

ROW = {
    **{"format": "litert_int8", "agreement": 0.95, "coarse_agreement": None, "accuracy": 0.61, "bytes": 12_345},
    **{"ms_per_image": 0.5, "ms_per_image_of_100": 0.25},
    "least_exact_layers": [{"layer": "a/b", "operation": "CONV_2D", "error": 1.5}],
}
DOCUMENT = {
    **{"recipe": "quick", "command": "python -m models.export", "split": "validation", "device": "a processor"},
    **{"num_images": 10_000, "num_compared": 1_000, "git_commit": "0123456789", "formats": [ROW]},
    **{"float32": {"accuracy": 0.62}, "trained": {"accuracy": 0.6199, "precision": "mixed_bfloat16"}},
}


def test_a_format_is_a_line_and_a_run_names_its_command(tmp_path):
    (tmp_path / "quick.json").write_text(json.dumps(DOCUMENT))
    heading, _, row, empty, origin = export_table.table(tmp_path)
    assert row == "| `quick` | `litert_int8` | 95.00 | 61.00 | 62.00 | 61.99 | 12,345 | 0.5 | 0.25 |"
    assert heading.count("|") == row.count("|")
    assert not empty
    for part in (
        "python -m models.export",
        "10,000 validation",
        "mixed_bfloat16",
        "a processor",
        "0123456",
        "`a/b` 1.50",
    ):
        assert part in origin


def test_coarse_agreement_has_a_column_where_there_is_one(tmp_path):
    rows = [{**ROW, "coarse_agreement": 0.99}]
    (tmp_path / "quick.json").write_text(json.dumps({**DOCUMENT, "formats": rows}))
    assert "| 95.00 | 99.00 | 61.00 |" in export_table.table(tmp_path)[2]


def test_without_results_there_is_one_sentence(tmp_path):
    assert export_table.table(tmp_path / "missing") == [export_table.NONE]
