"""The requests that are answered: the page, POST /predict, and the schema of its answer.

request ──Host, Origin (403)──▶ gate (503) ──body in time (408) and small (413)──▶ image (422) ──▶ answer (200)
"""

import asyncio
import dataclasses
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from models.serving import address, page
from models.serving.answers import ANSWER_SCHEMA, ERROR_SCHEMA, MAX_BYTES
from models.serving.gate import FullError, Gate
from models.serving.worker import Worker
from pipeline.datasets import images
from pipeline.datasets.description import Description

BODY_SECONDS = 20.0  # in which the body of a request has to arrive
ANSWER_SECONDS = 60.0  # from there to its answer; the images before it are waited for
MAX_FORM_BYTES = 1 << 16  # of a form, beside the image in it
MAX_DISCARDED_BYTES = 1 << 28  # of a refused body, which is read to its end: who still sends reads no answer
Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
Headers: TypeAlias = Mapping[str, str]
RETRY: Headers = {"Retry-After": "1"}  # seconds
# The status codes of exceptions, why there is no answer, and headers.
ERRORS: Mapping[type[Exception], tuple[int, str, Headers]] = {
    ClientDisconnect: (400, "the connection ended early", {}),
    MemoryError: (413, "the image does not fit into memory", {}),
    images.ImageError: (422, "the file {error}", {}),
    FullError: (503, "too many requests are in progress; try again", RETRY),
    Exception: (500, "the prediction failed ({kind})", {}),
}


def build(
    answer: Callable[[bytes], Mapping[str, Any]],
    description: Description,
    name: str,
    *,
    warning: str = "",
    is_loopback: bool = True,
    gate: Gate | None = None,
) -> Starlette:
    """The application that answers images.

    Args:
      answer: from the content of an image file, an answer as ANSWER_SCHEMA describes; it raises images.ImageError.
      description: of the data set of the run.
      name: of the run, on the page.
      warning: what stands above the page; "" is nothing.
      is_loopback: whether requests are refused that name another host than this machine.
      gate: of the requests under way; None is a new one.
    """
    service = _Service(answer, description, name, warning, is_loopback, gate or Gate(), Worker())
    routes = [
        Route("/", service.checked(service.show_page)),
        Route("/schema", service.checked(service.show_schema)),
        Route("/predict", service.checked(service.predict), methods=["POST"]),
    ]
    handlers = {HTTPException: _http_error, **dict.fromkeys(ERRORS, _other_error)}
    return Starlette(routes=routes, exception_handlers=handlers)


@dataclasses.dataclass(frozen=True)
class _Service:
    """What answers requests; fields as of `build`, and the worker, which makes one prediction at a time, in order."""

    answer: Callable[[bytes], Mapping[str, Any]]
    description: Description
    name: str
    warning: str
    is_loopback: bool
    gate: Gate
    worker: Worker

    def checked(self, handler: Handler) -> Handler:
        """A handler of those requests alone that may be answered."""
        return functools.partial(self._check, handler)

    async def _check(self, handler: Handler, request: Request) -> Response:
        host, origin = (request.headers.get(name, "") for name in ("host", "origin"))
        if not address.is_allowed(host, origin, is_loopback=self.is_loopback):
            raise HTTPException(403, "this page or host name is not the server's own address")
        return await handler(request)

    async def show_page(self, _: Request) -> Response:
        html, headers = page.render(self.description, self.name, self.warning)
        return HTMLResponse(html, headers=dict(headers))

    async def show_schema(self, _: Request) -> Response:
        return JSONResponse({"answer": ANSWER_SCHEMA, "error": ERROR_SCHEMA}, headers=page.HEADERS)

    async def predict(self, request: Request) -> Response:
        try:
            return JSONResponse(await self._answered(request), headers=page.HEADERS)
        except asyncio.CancelledError:
            return _error(503, "the server ends")

    async def _answered(self, request: Request) -> Mapping[str, Any]:
        try:
            with self.gate.entered():
                file = await _image(request)
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await self.worker(self.answer, file)
        except FullError:
            await _body(request, 0)
            raise
        except TimeoutError as error:
            raise HTTPException(503, f"no answer in {ANSWER_SECONDS:g} seconds; try again", RETRY) from error


async def _image(request: Request) -> bytes:
    """The content of the image file that a request has as its body, or in a field of a form."""
    is_form = request.headers.get("content-type", "").startswith("multipart/form-data")
    body = await _body(request, MAX_BYTES + MAX_FORM_BYTES * is_form)
    file = await _in_form(request, body) if is_form else body
    if len(file) > MAX_BYTES:
        raise _too_large()
    return file


async def _body(request: Request, max_bytes: int) -> bytes:
    """The body of a request; HTTPException where it is larger or comes too slowly. With 0 it is read and left."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size <= max_bytes:
                    parts.append(part)
                elif size > MAX_DISCARDED_BYTES:
                    break
    except TimeoutError as error:
        reason = f"the request took longer than {BODY_SECONDS:g} seconds"
        raise HTTPException(408, reason, {"Connection": "close"}) from error
    if max_bytes and size > max_bytes:
        raise _too_large()
    return b"".join(parts)


def _too_large() -> HTTPException:
    return HTTPException(413, f"the image has more than {MAX_BYTES >> 20} MiB")


class _Parser(MultiPartParser):
    spool_max_size = MAX_BYTES + MAX_FORM_BYTES  # no file is written to the disk


async def _in_form(request: Request, body: bytes) -> bytes:
    async def stream() -> AsyncIterator[bytes]:
        yield body

    try:
        form = await _Parser(request.headers, stream(), max_files=1, max_fields=8).parse()
    except (MultiPartException, KeyError) as error:
        raise HTTPException(400, f"expected a form with one file ({error})") from error
    try:
        for _, value in form.multi_items():
            if not isinstance(value, str):
                return await value.read()
    finally:
        await form.close()
    raise HTTPException(400, "expected a form with one file, got none")


def _error(code: int, reason: str, headers: Headers | None = None) -> Response:
    return JSONResponse({"error": reason}, status_code=code, headers={**page.HEADERS, **(headers or {})})


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(error.status_code, error.detail, error.headers)


async def _other_error(_: Request, error: Exception) -> Response:
    code, reason, headers = next(ERRORS[kind] for kind in type(error).__mro__ if kind in ERRORS)
    return _error(code, reason.format(error=error, kind=type(error).__name__), headers)
