"""`models.serve` as a person meets it."""

import contextlib
import importlib.util
import io
import re
import signal
import subprocess
import types

import jsonschema
import PIL.Image
import pytest

from models import serve
from models.serving import address
from models.serving.answers import ANSWER_SCHEMA
from tests.binaries import call_here, command
from tests.conftest import ROOT


def png(image: PIL.Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_run_is_served_until_a_signal(trained, number, noise):
    httpx = pytest.importorskip("httpx")
    pytest.importorskip("models.serving.server", reason="the extra serve is not installed")
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                command("models.serve", f"--run_dir={trained}", "--port=0"),
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(process.kill)
        line = process.stdout.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+/", line)[0]
        answer = httpx.post(f"{url}predict", content=png(PIL.Image.fromarray(noise)), timeout=60)
        assert answer.status_code == 200
        jsonschema.validate(answer.json(), ANSWER_SCHEMA)
        assert httpx.get(url, headers={"Host": "rebound.example"}, timeout=60).status_code == 403
        assert httpx.get(url, timeout=60).text.count("<script") == 1
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert [line for line in err.splitlines() if line.startswith(("error", "warning", "Traceback"))] == []


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        ([], 2, "run_dir is missing"),
        (["--run_dir=missing"], 2, "run_dir=missing: expected"),
        (["--run_dir=RUN", "--port=65536"], 2, "port=65536: "),
        (["--run_dir=RUN", "--host=no such host"], 2, "host=no such host: expected an address"),
        (["--run_dir=RUN", "--port=TAKEN"], 1, "port=TAKEN: cannot listen"),
    ],
)
def test_wrong_arguments_are_one_line(trained, arguments, code, error, monkeypatch, capsys):
    monkeypatch.setattr("pipeline.common.app.load_tensorflow", lambda: pytest.fail("too late"))
    monkeypatch.setattr(serve, "LIBRARIES", ())
    with address.listen("127.0.0.1", 0) as taken:
        values = {"RUN": str(trained), "TAKEN": str(taken.getsockname()[1])}
        for name, value in values.items():
            arguments = [argument.replace(name, value) for argument in arguments]
        assert call_here(monkeypatch, serve.main, serve.flags, *arguments) == code
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert printed.err.startswith(f"error: {error}".replace("TAKEN", values["TAKEN"]))


@pytest.mark.parametrize("name", serve.LIBRARIES)
def test_missing_library_names_the_extra(trained, name, monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None if module == name else find(module))
    monkeypatch.setattr(serve, "LIBRARIES", (name,))
    assert call_here(monkeypatch, serve.main, serve.flags, f"--run_dir={trained}", "--port=0") == 1
    assert re.search(rf"{name}.*pip install -e '\.\[serve\]'", capsys.readouterr().err)


@pytest.mark.parametrize(("host", "warns"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_address_that_others_reach_says_what_that_means(trained, host, warns, monkeypatch, capsys):
    server = pytest.importorskip("models.serving.server", reason="the extra serve is not installed")
    monkeypatch.setattr(server, "build", lambda application: types.SimpleNamespace(run=lambda sockets: None))
    assert call_here(monkeypatch, serve.main, serve.flags, f"--run_dir={trained}", f"--host={host}", "--port=0") == 0
    printed = capsys.readouterr()
    assert f"http://{host}:" in printed.out
    warnings = [line for line in printed.err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == warns
    assert all(re.search(r"0\.0\.0\.0.*anyone.*encryption.*authentication", line) for line in warnings)
