import array
import collections
import io
import os
import pickle
import struct
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets.cifar import unpickle
from tests.pipeline.datasets import pickles

WRITERS = [("python 2", protocol) for protocol in range(3)]
WRITERS += [(writer, protocol) for writer in ("numpy 1", "numpy 2") for protocol in range(6)]
IMAGES = np.arange(256 * 6, dtype=np.uint8).reshape(256, 6)  # every byte, as many columns as rows of quotes
LABELS = [0, 99, 255]
# The labels of a data set, as different programs keep them.
LISTS = {
    "list": LABELS,
    "tuple": tuple(LABELS),
    "array": np.array(LABELS),
    "big-endian array": np.array(LABELS, ">i4"),
    "list of NumPy scalars": list(np.array(LABELS)),
    "bytes": np.array(LABELS, np.uint8),
}
LONG_BYTES = b"B" + struct.pack("<I", 1_000_000) + b"\xff" * 1_000_000
SHORT_KEYS = b"".join(b"\x8c\x04%04xN" % number for number in range(10_000))


def load(data, **limits):
    return unpickle.load(io.BytesIO(data), **limits)


class Malicious:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(("writer", "protocol"), WRITERS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_fields_of_every_writer_come_back(writer, protocol, order):
    fields = {"data": np.asarray(IMAGES, order=order), **LISTS, "names": ["a", 'it\'s "b"']}
    data = pickles.dump(fields, protocol, writer=writer)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of names of NumPy 1
        by_python = pickle.loads(data, encoding="bytes")  # to show that this is a pickle
    loaded = load(data)
    assert loaded.keys() == by_python.keys()
    loaded = {key.decode() if isinstance(key, bytes) else key: item for key, item in loaded.items()}
    assert loaded["data"].dtype == np.uint8
    np.testing.assert_array_equal(loaded["data"], IMAGES)
    for name in LISTS:
        np.testing.assert_array_equal(loaded[name], LABELS)
    assert [name.decode() if isinstance(name, bytes) else name for name in loaded["names"]] == fields["names"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "value",
    [
        collections.OrderedDict([("fine_labels", [1, 2]), ("batch_label", "one")]),
        collections.defaultdict(list, {"fine_labels": [1, 2]}),
        {"text": "Grüße", "wide text": "\N{SNOWMAN}", "bytes": bytes(range(256)) * 300},
        {"long": 2**900, "negative": -(2**70), "float": 0.5, "nothing": None, "flags": [True, False], "empty": b""},
        {"nested": {"a": [(), (1,), (1, 2), (1, 2, 3, 4)]}},
        {"bytearray": bytearray(b"abc"), "text of NumPy": np.str_("a"), "bytes of NumPy": np.bytes_(b"a")},
    ],
)
def test_plain_values_come_back(value, protocol):
    assert load(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_of_other_classes_come_back(protocol, tmp_path):
    mapped = np.memmap(tmp_path / "images", np.uint8, "w+", shape=(2, 3))
    values = {"mapped": mapped, "names": np.array(["a", "bc"]), "objects": np.array(["a", b"bc"], object)}
    loaded = load(
        pickle.dumps(values | {"labels": array.array("B", [1, 2]), "others": array.array("q", [3])}, protocol)
    )
    assert loaded["mapped"].shape == (2, 3)
    assert loaded["names"].tolist() == ["a", "bc"]
    assert loaded["objects"] == ["a", b"bc"]
    assert loaded["labels"].tolist() == [1, 2]
    assert loaded["others"].tolist() == [3]


def test_text_mode_of_windows_in_protocol_0_is_read():
    data = pickles.dump({"data": IMAGES, "fine_labels": [1, 2]}, 0, writer="python 2").replace(b"\n", b"\r\n")
    np.testing.assert_array_equal(load(data)[b"data"], IMAGES)


@settings(max_examples=40, derandomize=True)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
        max_leaves=20,
    ),
    st.integers(0, pickle.HIGHEST_PROTOCOL),
)
def test_whatever_pickle_writes_of_plain_values_comes_back(value, protocol):
    assert load(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_program_is_refused_by_name_and_never_run(protocol, tmp_path):
    target = tmp_path / "was_run"
    data = pickle.dumps({"data": Malicious(os.system, f"touch {target}")}, protocol)
    with pytest.raises(pickle.UnpicklingError, match=r"asks for posix\.system"):
        load(data)
    assert not target.exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pickle.dumps(np.array([object()])), "asks for builtins.object"),
        (pickle.dumps(np.zeros(2, "complex128")), "array of type 'c16'"),
        (pickle.dumps(np.zeros(2, [("a", "u1")])), "array of type 'V1'"),
        (b"c_codecs\nencode\n(Vabc\nVrot13\ntR.", "codec 'rot13'"),
        (b"c_codecs\nencode\n}b.", "changes Function"),
        (b"cbuiltins\ngetattr\n.", "asks for builtins.getattr"),
        (b"cnumpy\nndarray.__class__\n.", "asks for numpy.ndarray.__class__"),
        (b"cevil\n\x1b[2J\n.", r"asks for evil.\\x1b"),
        (b"(S'a'\niposix\nsystem\n.", "opcode b'i'"),
        (b"\x80\x05\x97.", "opcode b'\\\\x97'"),  # a buffer beside the pickle
        (b"\x80\x06.", "protocol 6"),
        (b"", "truncated"),
        (b"\x80\x02garbage", "truncated"),
        (pickle.dumps(list(range(999)))[:-40], "truncated"),
        (b"B\xff\xff\xff\xff.", "more than 64 MiB"),
        (b"\x8e" + struct.pack("<Q", 1 << 60) + b".", "more than 64 MiB"),
        (b"X\xff\xff\xff\xffabc", "truncated"),
        (b"\x8b" + struct.pack("<i", 1000) + bytes(1000) + b".", "integer of 1000 bytes"),
        (b"I" + b"9" * 5000 + b"\n.", "does not end"),
        (b"N\x85" * 400_000 + b".", "more than 64 MiB"),
        (b"}N" + b"\x85" * 100_000 + b"Ns.", "keys must be strings"),  # whose hash overflows the stack
        (b"}" + LONG_BYTES + b"Ns.", "keys must be strings of at most"),
        (LONG_BYTES + b"\x8c\x01x\x93.", "a name of 1,000,000 characters"),
        (b"c_codecs\nencode\nVa\n" + LONG_BYTES + b"\x86R.", "a name of 1,000,000 characters"),
        # One list, or the entries of one dictionary, many times.
        (b"carray\narray\nVq\n](]q\x00(" + b"K\x01" * 1000 + b"e" + b"h\x00" * 999 + b"e\x86R.", "than integers"),
        (b"(}q\x00(" + SHORT_KEYS + b"u" + b"ccollections\nOrderedDict\nh\x00\x85R" * 100 + b"l.", "more than 64 MiB"),
        (pickle.dumps("\N{SNOWMAN}" + "a" * 200_000), "broken"),
        (b"(lp0\n" + b"g0\na" * 9, "truncated"),
    ],
    ids=lambda part: part if isinstance(part, str) else "pickle",
)
def test_whatever_is_no_array_or_plain_container_is_refused(data, message):
    with pytest.raises(pickle.UnpicklingError, match=message):
        load(data)


def test_a_large_index_of_the_memo_takes_no_memory():
    assert load(b"Nr\xff\xff\xff\xff.") is None


def test_an_array_of_another_size_than_its_bytes_is_refused():
    data = pickle.dumps(np.zeros((2, 3), np.uint8), protocol=2)
    assert data.count(b"K\x02K\x03\x86") == 1
    with pytest.raises(pickle.UnpicklingError, match=r"shape \(2, 200\) in 6 bytes"):
        load(data.replace(b"K\x02K\x03\x86", b"K\x02K\xc8\x86"))
