import pytest

from pipeline.datasets.folder import superclasses
from pipeline.datasets.folder.names import TreeError

LINES = "fine,coarse\nbee,insects\ncat,mammals\ndog,mammals\n"
EXPECTED = {"bee": "insects", "cat": "mammals", "dog": "mammals"}

FORMS = {
    "UTF-8": LINES.encode(),
    "byte order mark": LINES.encode("utf-8-sig"),
    "UTF-16": LINES.encode("utf-16"),
    "CR LF": LINES.replace("\n", "\r\n").encode(),
    "CR": LINES.replace("\n", "\r").encode(),
    "no final line end": LINES.rstrip().encode(),
    "semicolons": LINES.replace(",", ";").encode(),
    "tabs": LINES.replace(",", "\t").encode(),
    "spaces": LINES.replace(",", " , ").encode(),
    "quotes": LINES.replace("cat", '"cat"').encode(),
    "columns in the other order": b"coarse,fine\ninsects,bee\nmammals,cat\nmammals,dog\n",
    "empty lines": (LINES.replace("cat", "\n,\ncat") + "\n\n").encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_spreadsheet_and_editor_is_read(form, tmp_path):
    path = tmp_path / "superclasses.csv"
    path.write_bytes(FORMS[form])
    assert superclasses.read(path, tuple(EXPECTED)) == EXPECTED


def test_names_may_have_commas_and_letters_of_any_language(tmp_path):
    path = tmp_path / "superclasses.csv"
    path.write_text('fine,coarse\n"cat, wild",mammals\ne\u0301toile,a b\n"the ""bee""",mammals\n', encoding="utf-8")
    expected = {"cat, wild": "mammals", "\u00e9toile": "a b", 'the "bee"': "mammals"}
    assert superclasses.read(path, tuple(expected)) == expected


WRONG = {
    "empty": (b"", "fine,coarse"),
    "no header": (b"bee,insects\ncat,mammals\ndog,mammals\n", "bee,insects"),
    "another header": (LINES.replace("fine", "class").encode(), "class,coarse"),
    "one column": (b"fine\nbee\ncat\ndog\n", "fine,coarse"),
    "missing class": (LINES.replace("dog,mammals\n", "").encode(), "'dog'"),
    "unknown class": ((LINES + "cow,mammals\n").encode(), "'cow'"),
    "class in another case": (LINES.replace("dog", "Dog").encode(), "'dog'"),
    "class twice": ((LINES + "bee,insects\n").encode(), "line 5"),
    "one name": (LINES.replace("cat,mammals", "cat").encode(), "line 3"),
    "empty name": (LINES.replace("cat,", ",").encode(), "line 3"),
    "three names": (LINES.replace("cat,", "cat,wild,").encode(), "line 3"),
    "open quote": (LINES.replace("cat", '"cat').encode(), "superclasses.csv"),
    "a quote over many lines": (LINES.replace("cat", '"cat' + "\n" * 200_000).encode(), "superclasses.csv"),
    "Latin-1": (LINES.replace("cat", "k\xe4tzchen").encode("latin-1"), "UTF-8"),
    "one superclass": (LINES.replace("insects", "mammals").encode(), "'mammals'"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_every_mistake_is_named_in_one_line(kind, tmp_path):
    content, part = WRONG[kind]
    path = tmp_path / "superclasses.csv"
    path.write_bytes(content)
    with pytest.raises(TreeError) as caught:
        superclasses.read(path, tuple(EXPECTED))
    assert str(caught.value).startswith("superclasses.csv: ")
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
