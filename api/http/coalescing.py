"""HTTP on the wire: head and body of an answer in one packet."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD, HEAD_END = b"HTTP/1.1 ", b"\r\n\r\n"
# "Send the body": an answer to nothing, and whoever asked waits for it.
CONTINUE = b"HTTP/1.1 100 "


class CoalescingProtocol(HttpToolsProtocol):
    """The server's protocol over a transport that sends the head of an answer with the first part of its body.

    ASGI asks for that ("must not start sending the response until it has received at least one body event"). Each by
    itself is a call into the kernel and wakes the client for half an answer, which takes as long as ordering 60 dishes.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Stand between the protocol and its transport."""
        super().connection_made(HeaderBuffer(transport))  # type: ignore[arg-type]


class HeaderBuffer:
    """A transport that keeps the head of an answer until the next write; all else is the transport's."""

    __slots__ = ("_head", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._head = transport, b""

    def write(self, data: bytes) -> None:
        """Send `data`, after what was kept, or keep it where it is a head alone."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(HEAD) and data.endswith(HEAD_END) and not data.startswith(CONTINUE):
            self._head = data
            return
        self._transport.write(data)

    def close(self) -> None:
        """Send what was kept, and close."""
        if self._head:
            self.write(b"")
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        """Whatever else a transport can."""
        return getattr(self._transport, name)
