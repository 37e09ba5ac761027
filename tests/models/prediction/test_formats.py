"""Rows as a table, JSON lines and CSV."""

import csv
import io
import json
import unicodedata

import pytest

from models.prediction import formats
from models.prediction.rows import Answer, Row
from pipeline.datasets.description import Classes

CLASSES = Classes(("ant", "grey wolf", "猫"), ("insect", "mammal"), (0, 1, 1))
COARSE, INSECT = Answer("mammal", 0.98), Answer("insect", 0.02)
TOP = (Answer("grey wolf", 0.75, "mammal"), Answer("猫", 0.2, "mammal"))
ROW = Row("a.png", top=TOP, coarse=COARSE, truth={"fine": "猫", "coarse": "mammal"})
STRANGE = 'a,"b"\n\x1b[31m\udcff\u202e\'é猫.png'


def csv_rows(rows: list[Row], **there: bool) -> list[dict[str, str]]:
    form = formats.Csv(2, **{"has_fine": True, "has_coarse": True, "has_truth": True, **there})
    return list(csv.DictReader(io.StringIO(form.heading() + "".join(map(form.text, rows)), newline="")))


def test_json_has_every_value_and_every_name_as_it_is():
    text = formats.JsonLines().text(Row(STRANGE, top=TOP, coarse=COARSE, truth=ROW.truth))
    assert text.isascii()
    assert text.count("\n") == 1
    assert json.loads(text) == {
        "path": STRANGE,
        "top": [
            {"label": "grey wolf", "superclass": "mammal", "probability": 0.75},
            {"label": "猫", "superclass": "mammal", "probability": 0.2},
        ],
        "coarse": {"label": "mammal", "probability": 0.98},
        "true_fine": "猫",
        "is_fine_right": False,
        "true_coarse": "mammal",
        "is_coarse_right": True,
    }
    assert json.loads(formats.JsonLines().text(Row("b", error="is empty"))) == {"path": "b", "error": "is empty"}


def test_picture_of_a_row_is_named_in_json_and_csv():
    row = ROW._replace(picture="a-0123.png")
    assert json.loads(formats.JsonLines().text(row))["picture"] == "a-0123.png"
    first, second = csv_rows([row, Row("b", error="is empty")], has_picture=True)
    assert (first["picture"], second["picture"]) == ("a-0123.png", "")
    assert "picture" not in csv_rows([ROW])[0]


def test_csv_has_every_value_in_a_column():
    first, second = csv_rows([ROW, Row(STRANGE, error="is empty")])
    assert first == {
        "path": "a.png",
        "error": "",
        "coarse": "mammal",
        "coarse_probability": "0.98",
        "label_1": "grey wolf",
        "superclass_1": "mammal",
        "probability_1": "0.75",
        "label_2": "猫",
        "superclass_2": "mammal",
        "probability_2": "0.2",
        "true_fine": "猫",
        "is_fine_right": "False",
        "true_coarse": "mammal",
        "is_coarse_right": "True",
    }
    assert {name: value for name, value in second.items() if value} == {"path": STRANGE, "error": "is empty"}


def test_csv_of_one_level_of_labels_has_no_superclass():
    (row,) = csv_rows([Row("a", top=(Answer("x", 0.5),))], has_coarse=False, has_truth=False)
    assert row == {"path": "a", "error": "", "label_1": "x", "probability_1": "0.5", "label_2": "", "probability_2": ""}


@pytest.mark.parametrize(
    "name",
    ["=HYPERLINK(1)", "+1+1", "@SUM(A1)", "-cmd|' /C calc'!A0", "-5+cmd|' /C calc'!A0", "-.", "\t=1", "\r=1"],
)
def test_spreadsheets_compute_no_name(name):
    (row,) = csv_rows([Row(name, top=(Answer(name, 0.5, name),), coarse=Answer(name, 1.0), truth={"fine": name})])
    assert row["path"] == f"./{name}"
    assert {row[column] for column in ("coarse", "label_1", "superclass_1", "true_fine")} == {f"'{name}"}


def test_number_as_a_name_stays():
    (row,) = csv_rows([Row("-1", top=(Answer("-1.5", 0.5, "-.5"),))])
    assert (row["path"], row["label_1"], row["superclass_1"]) == ("-1", "-1.5", "-.5")


def test_table_sends_a_terminal_no_control_character():
    names = Classes((STRANGE, "\x07"), ("\x9b2J",), (0, 0))
    row = Row(STRANGE, top=(Answer(STRANGE, 0.5, "\x9b2J"),), coarse=Answer("\x9b2J", 1.0))
    table = formats.Table([STRANGE], names, has_fine=True)
    for text in (table.heading(), table.text(row), table.text(Row(STRANGE, error=STRANGE))):
        assert text.count("\n") == 1
        assert {unicodedata.category(character)[0] for character in text.rstrip("\n")} <= set("LNPSZM")


def test_table_has_a_line_for_each_class_in_even_columns():
    table = formats.Table(["a.png", "猫.png"], CLASSES, has_fine=True)
    lines = (table.heading() + table.text(ROW) + table.text(Row("猫.png", error="is empty"))).splitlines()
    assert [line.split() for line in lines] == [
        ["image", "superclass", "%", "class", "its", "superclass", "%"],
        ["a.png", "mammal", "98.00", "grey", "wolf", "mammal", "75.00"],
        ["猫", "mammal", "20.00"],
        ["猫.png", "is", "empty"],
    ]
    assert lines[1].index("grey") == lines[2].index("猫") == lines[0].index(" class ") + 1
    assert formats.cell_len(lines[1]) == formats.cell_len(lines[2]) == len(lines[0])


@pytest.mark.parametrize(
    ("classes", "row", "words"),
    [
        (Classes(("x", "y")), Row("a", top=(Answer("x", 0.5),)), ["a", "x", "50.00"]),
        (CLASSES, Row("a", top=(COARSE,), coarse=COARSE), ["a", "mammal", "98.00"]),
        (CLASSES, Row("a", top=(COARSE, INSECT), coarse=COARSE), ["a", "mammal", "98.00", "insect", "2.00"]),
    ],
)
def test_table_of_one_level_of_labels_or_a_coarse_head_alone(classes, row, words):
    table = formats.Table(["a"], classes, has_fine=row.coarse is None)
    assert table.text(row).split() == words
    assert len(table.heading().split()) == 3
    assert table.text(row).count("\n") == len(row.top)
