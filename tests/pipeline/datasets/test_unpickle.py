import io
import os
import pickle

import numpy as np
import pytest

from pipeline.datasets import unpickle
from tests.pipeline.datasets import archives


def load(data, **limits):
    return unpickle.load(io.BytesIO(data), **limits)


class Malicious:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["uint8", "int64", ">i4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_come_back(protocol, dtype, order):
    array = np.asarray(np.arange(12).reshape(3, 4), dtype, order=order)
    loaded = load(pickle.dumps({"data": array, "names": ["a"]}, protocol))
    assert loaded["names"] == ["a"]
    assert loaded["data"].dtype == array.dtype
    np.testing.assert_array_equal(loaded["data"], array)


def test_pickles_of_python_2_come_back():
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    loaded = load(archives.python2_pickle({"data": array, "fine_labels": [1, 2, 3]}))
    assert loaded[b"fine_labels"] == [1, 2, 3]
    np.testing.assert_array_equal(loaded[b"data"], array)


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
        (b"", "truncated"),
        (b"\x80\x02garbage", "truncated"),
        (pickle.dumps(list(range(999)))[:-40], "truncated"),
    ],
)
def test_whatever_is_no_integer_array_or_container_is_refused(data, message):
    with pytest.raises(pickle.UnpicklingError, match=message):
        load(data)


def test_an_array_of_another_size_than_its_bytes_is_refused():
    data = pickle.dumps(np.zeros((2, 3), np.uint8), protocol=2)
    assert data.count(b"K\x02K\x03\x86") == 1
    with pytest.raises(pickle.UnpicklingError, match=r"shape \(2, 200\) in 6 bytes"):
        load(data.replace(b"K\x02K\x03\x86", b"K\x02K\xc8\x86"))
