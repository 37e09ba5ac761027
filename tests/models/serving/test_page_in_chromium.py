"""The page in headless Chromium: an image that is dropped, or pasted, is answered, and names stay text."""

import pytest

from models.serving import page
from tests import chromium
from tests.models.serving.conftest import SCRIPT

application = pytest.importorskip("models.serving.application", reason="the extra serve is not installed")
responses = pytest.importorskip("starlette.responses")
ANSWER = {
    "width": 2,
    "height": 2,
    "fine": [{"label": SCRIPT, "superclass": SCRIPT, "probability": 0.75}, {"label": "b", "probability": 0.25}],
    "coarse": [{"label": SCRIPT, "probability": 1.0}],
}
GIVE = """
const transfer = new DataTransfer();
transfer.items.add(new File([new Uint8Array([1, 2, 3])], "a.png", {type: "image/png"}));
document.dispatchEvent(new %s);
"""
EVENTS = {
    "drop": 'DragEvent("drop", {dataTransfer: transfer})',
    "paste": 'ClipboardEvent("paste", {clipboardData: transfer})',
}


def serve_page(served, description, answer, script: str) -> str:
    """The URL of the page with a further script."""
    built = application.build(answer, description, "run", warning=SCRIPT)

    async def show(request):
        document, headers = page.render(description, "run", SCRIPT)
        return responses.HTMLResponse(document.replace("</script>", f"{script}</script>"), headers=dict(headers))

    built.add_route("/with_script", show)
    return f"{served(built)}with_script"


@pytest.mark.parametrize("event", EVENTS)
def test_image_is_answered(served, description, tmp_path, event):
    received = []

    def answer(file: bytes) -> dict:
        received.append(file)
        return ANSWER

    url = serve_page(served, description, answer, GIVE % EVENTS[event])
    document, console = chromium.open_page(url, tmp_path)
    assert received == [b"\1\2\3"]
    assert console == []
    answered = document.partition('id="answer"')[2].partition("</section>")[0]
    assert "<script" not in answered
    assert answered.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3
    assert [part in answered for part in ("75.0 %", "25.0 %", "100.0 %", "2 x 2 pixels")] == [True] * 4


def test_reason_is_shown(served, description, tmp_path):
    def refuse(file: bytes) -> dict:
        raise MemoryError

    document, _ = chromium.open_page(serve_page(served, description, refuse, GIVE % EVENTS["drop"]), tmp_path)
    assert "does not fit into memory" in document.partition('id="answer"')[2]
