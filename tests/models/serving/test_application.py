"""The application, in this process: each request gets a clear answer."""

import asyncio
import concurrent.futures
import io
import socket
import threading
import time
from urllib.parse import urlsplit

import jsonschema
import pytest

from models.serving.answers import ANSWER_SCHEMA, ERROR_SCHEMA, MAX_BYTES
from models.serving.gate import Gate
from pipeline.datasets import images
from tests.models.serving.conftest import SCRIPT
from tests.pipeline.datasets import image_files

application = pytest.importorskip("models.serving.application", reason="the extra serve is not installed")
testclient = pytest.importorskip("starlette.testclient", reason="httpx is not installed")
httpx = pytest.importorskip("httpx")
URL = "http://127.0.0.1:8000"
ANSWER = {"width": 12, "height": 8, "fine": [{"label": SCRIPT, "probability": 0.5, "superclass": "x"}]}


def answer(file: bytes) -> dict:
    """An answer as of a model, after the file was decoded."""
    height, width, _ = images.decode(file).pixels.shape
    return {**ANSWER, "width": width, "height": height}


@pytest.fixture
def client(description):
    return testclient.TestClient(application.build(answer, description, "run"), base_url=URL)


def check_error(response, code: int, *parts: str) -> None:
    assert response.status_code == code
    jsonschema.validate(response.json(), ERROR_SCHEMA)
    for part in parts:
        assert part in response.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        {"content": image_files.PNG},
        {"content": image_files.PNG, "headers": {"content-type": "image/png"}},
        {"files": {"image": ("a.png", image_files.PNG)}, "data": {"note": "x"}},
    ],
)
def test_image_is_answered_as_body_and_in_a_form(client, body):
    response = client.post("/predict", **body)
    assert response.status_code == 200
    jsonschema.validate(response.json(), ANSWER_SCHEMA)
    assert response.json() == answer(image_files.PNG)
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("kind", image_files.REFUSED)
def test_what_is_no_image_has_the_reason(client, kind):
    file, part = image_files.REFUSED[kind]
    check_error(client.post("/predict", content=file), 422, part)


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"a": "b"}, "files": {}, "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"content": b"--x\r\nbroken", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"content": b"a", "headers": {"content-type": "multipart/form-data"}},
        {"files": [("a", b"1"), ("b", b"2")]},
    ],
)
def test_form_without_one_file_is_refused(client, body):
    check_error(client.post("/predict", **body), 400, "one file")


def test_uploads_are_kept_in_memory(client, monkeypatch):
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **options: pytest.fail("a file on the disk"))
    check_error(client.post("/predict", files={"a": bytes(MAX_BYTES)}), 422, "zeros")


def test_large_file_is_refused(client):
    check_error(client.post("/predict", content=bytes(50_000_000)), 413, "MiB")
    check_error(client.post("/predict", content=bytes(MAX_BYTES + 1)), 413, "MiB")
    check_error(client.post("/predict", files={"a": bytes(MAX_BYTES + 1)}), 413, "MiB")
    check_error(client.post("/predict", content=bytes(MAX_BYTES)), 422)


def test_page_and_schema(client):
    response = client.get("/")
    assert response.status_code == 200
    assert "script-src 'nonce-" in response.headers["content-security-policy"]
    assert '<link rel="icon" href="data:,">' in response.text  # else a browser asks for /favicon.ico
    assert client.get("/schema").json() == {"answer": ANSWER_SCHEMA, "error": ERROR_SCHEMA}
    jsonschema.Draft202012Validator.check_schema(ANSWER_SCHEMA)
    check_error(client.get("/predict"), 405)
    check_error(client.get("/none"), 404)


@pytest.mark.parametrize("path", ["/", "/schema"])
def test_other_hosts_and_origins_get_nothing(client, path):
    check_error(client.get(path, headers={"host": "rebound.example"}), 403)
    check_error(client.post("/predict", content=image_files.PNG, headers={"origin": "http://evil.example"}), 403)


def test_failure_is_one_line(description, caplog):
    def fail(file):
        raise RuntimeError("secret")

    built = application.build(fail, description, "run")
    client = testclient.TestClient(built, base_url=URL, raise_server_exceptions=False)
    response = client.post("/predict", content=b"a")
    check_error(response, 500, "RuntimeError")
    assert "secret" not in response.text


def test_hundred_parallel_requests_are_answered_or_told_to_come_again(description, served):
    running, most = threading.Lock(), []

    def answer_slowly(file: bytes) -> dict:
        most.append(running.acquire(blocking=False))  # one at a time
        time.sleep(0.01)
        running.release()
        return ANSWER

    url = served(application.build(answer_slowly, description, "run", gate=Gate(8)))
    with (
        httpx.Client(limits=httpx.Limits(max_connections=100)) as client,
        concurrent.futures.ThreadPoolExecutor(100) as executor,
    ):
        responses = list(
            executor.map(lambda _: client.post(f"{url}predict", content=image_files.PNG, timeout=60), range(100))
        )
    codes = [response.status_code for response in responses]
    assert set(codes) <= {200, 503}
    assert codes.count(200) == len(most) >= 8
    assert all(most)
    assert all(response.headers["retry-after"] == "1" for response in responses if response.status_code == 503)
    assert httpx.post(f"{url}predict", content=image_files.PNG).status_code == 200


def test_full_gate_refuses_and_opens_again(description, served):
    began, may_end = threading.Event(), threading.Event()

    def wait(file: bytes) -> dict:
        began.set()
        may_end.wait(60)
        return ANSWER

    url = served(application.build(wait, description, "run", gate=Gate(1)))
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        first = executor.submit(httpx.post, f"{url}predict", content=b"a", timeout=60)
        began.wait(60)
        refused = httpx.post(f"{url}predict", content=bytes(10_000_000), timeout=60)
        may_end.set()
        assert first.result().status_code == 200
    check_error(refused, 503)
    assert refused.headers["retry-after"] == "1"
    assert httpx.post(f"{url}predict", content=b"a", timeout=60).status_code == 200


SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/predict",
    "query_string": b"",
    "headers": [(b"host", b"localhost")],
}


@pytest.mark.parametrize("limit", [0, 1])
def test_client_that_leaves_is_no_failure(description, limit):
    sent = []

    async def receive() -> dict:
        return {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        sent.append(message)

    asyncio.run(application.build(answer, description, "run", gate=Gate(limit))(SCOPE, receive, send))
    assert sent[0]["status"] == 400


def test_request_that_the_end_of_the_server_cancels_is_answered(description):
    began, may_end = threading.Event(), threading.Event()
    sent = []

    def wait(file: bytes) -> dict:
        began.set()
        may_end.wait(60)
        return ANSWER

    async def receive() -> dict:
        return {"type": "http.request", "body": b"a"}

    async def send(message: dict) -> None:
        sent.append(message)

    async def end() -> None:
        task = asyncio.create_task(application.build(wait, description, "run")(SCOPE, receive, send))
        await asyncio.to_thread(began.wait, 60)
        task.cancel()
        await task
        may_end.set()

    asyncio.run(end())
    assert sent[0]["status"] == 503


def test_answer_that_takes_too_long_is_told_to_come_again(description, served, monkeypatch):
    monkeypatch.setattr("models.serving.application.ANSWER_SECONDS", 0.3)
    may_end = threading.Event()

    def wait(file: bytes) -> dict:
        may_end.wait(60)
        return ANSWER

    url = served(application.build(wait, description, "run"))
    with concurrent.futures.ThreadPoolExecutor(2) as executor:  # the second one waits for the first
        requests = [executor.submit(httpx.post, f"{url}predict", content=b"a", timeout=60) for _ in range(2)]
        responses = [request.result() for request in requests]
    may_end.set()
    for response in responses:
        check_error(response, 503, "0.3 seconds")
        assert int(response.headers["retry-after"]) > 0
    monkeypatch.setattr("models.serving.application.ANSWER_SECONDS", 60.0)
    assert httpx.post(f"{url}predict", content=b"a", timeout=60).status_code == 200


def test_pipelined_request_is_answered_although_its_predecessor_ended_long_ago(description, served, monkeypatch):
    monkeypatch.setattr("models.serving.server.HEADER_SECONDS", 0.3)

    def wait(file: bytes) -> dict:
        time.sleep(0.6 if file == b"slow" else 0)
        return ANSWER

    address = urlsplit(served(application.build(wait, description, "run")))
    request = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(request + b"fast" + request + b"slow")
        received = b""
        while part := connection.recv(4096):
            received += part
    assert received.count(b"HTTP/1.1 200 ") == 2


def test_upload_of_50_mb_over_a_connection_is_answered(description, served):
    url = served(application.build(answer, description, "run"))
    check_error(httpx.post(f"{url}predict", content=bytes(50_000_000), timeout=60), 413)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nslow", b" 408 "),
        (b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le", b""),
        (b"", b""),
        (b"GET /schema HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /schema HT", b" 200 "),
        (b"no HTTP\r\n\r\n", b" 400 "),
    ],
)
def test_slow_client_is_ended(description, served, monkeypatch, sent, status):
    monkeypatch.setattr("models.serving.application.BODY_SECONDS", 0.3)
    monkeypatch.setattr("models.serving.server.HEADER_SECONDS", 60.0 if b" 408 " in status else 0.3)
    address = urlsplit(served(application.build(answer, description, "run")))
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(sent)
        received = io.BytesIO()
        while part := connection.recv(4096):  # until the server ends it
            received.write(part)
    assert status in received.getvalue().partition(b"\r\n")[0]
