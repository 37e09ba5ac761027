"""A table's cells come from its columns."""

import types

from pipeline.common import markdown_table
from pipeline.common.markdown_table import Column

COLUMNS = [
    Column("name", str),
    Column("double", lambda row: f"{2 * row:,}", is_number=True),
    Column("large", lambda row: "yes" if row > 10_000 else "", is_optional=True),
]


def test_lines_have_a_heading_a_rule_and_a_row_each():
    assert markdown_table.lines(COLUMNS, [7, 20_000]) == [
        "| name | double | large |",
        "| --- | ---: | --- |",
        "| 7 | 14 |  |",
        "| 20000 | 40,000 | yes |",
    ]


def test_optional_column_without_a_text_is_left_out():
    assert markdown_table.cells(COLUMNS, [7]) == [["name", "double"], ["7", "14"]]


def test_field_that_is_none_is_an_empty_cell():
    column = markdown_table.field("rate", "{:.1f}".format, "images/s")
    rows = [types.SimpleNamespace(rate=rate) for rate in (2.04, None)]
    assert markdown_table.cells([column], rows) == [["images/s"], ["2.0"], [""]]
    assert column.is_number
