"""Undocumented parts of other libraries that cloudlet uses: each has a test here and a version bound."""

import asyncio
import importlib
import socket
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

ADVICE = "adapt cloudlet/server/http_protocol.py before the bound of uvicorn in pyproject.toml is raised"


def test_uvicorn_has_an_httptools_protocol_to_subclass() -> None:
    module = importlib.import_module("uvicorn.protocols.http.httptools_impl")
    assert hasattr(module, "HttpToolsProtocol"), ADVICE


@pytest.mark.integration
def test_uvicorn_passes_the_app_state_of_its_protocol_to_the_application() -> None:
    arguments, scope = asyncio.run(one_request())
    assert arguments == (), f"uvicorn makes protocols by positional arguments: {ADVICE}"
    assert isinstance(scope.get("state", {}).get("cloudlet_transport"), asyncio.BaseTransport), (
        f"uvicorn's HttpToolsProtocol.app_state is not the scope's state any more: {ADVICE}"
    )


async def one_request() -> tuple[tuple[object, ...], Scope]:
    """Send a request. Return the positional arguments of the protocol, and the scope that the application gets."""
    from cloudlet.server.http_protocol import Protocol  # fails where the first test does

    positional: list[tuple[object, ...]] = []
    scopes: list[Scope] = []

    class Recorded(Protocol):
        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            positional.append(arguments)
            super().__init__(*arguments, **keywords)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    server = uvicorn.Server(uvicorn.Config(application, http=Recorded, lifespan="off", log_level="error"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        await reader.read()
        writer.close()
        server.should_exit = True
        await serving
    return positional[0], scopes[0]
