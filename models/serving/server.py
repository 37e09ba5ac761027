"""Runs the application until a signal ends it; connections that send no request are closed."""

import asyncio
import contextlib
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0  # in which the first request of a connection has to begin
KEEP_ALIVE_SECONDS = 5
SHUTDOWN_SECONDS = 5  # that requests under way have when a signal ends the server
MAX_CONNECTIONS = 512


class _Protocol(H11Protocol):
    """Closes a connection on which no request has begun, headers included, in HEADER_SECONDS."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._expect_request(None)

    def on_response_complete(self) -> None:
        former = self.cycle
        super().on_response_complete()  # begins the next request, where that has arrived
        self._expect_request(former)

    def _expect_request(self, former: object) -> None:
        self.loop.call_later(HEADER_SECONDS, self._close_if_silent, former)

    def _close_if_silent(self, former: object) -> None:
        if self.cycle is former and not self.transport.is_closing():
            self.transport.close()


class _Server(uvicorn.Server):
    """Ends at SIGINT and SIGTERM as at a request: uvicorn would raise the signal again, for its default action."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            try:
                yield
            finally:
                self._captured_signals.clear()


def build(application: Starlette) -> uvicorn.Server:
    """A server of an application; `run(sockets=[...])` serves until SIGINT or SIGTERM, or its `should_exit`."""
    config = uvicorn.Config(
        application,
        http=_Protocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    return _Server(config)
