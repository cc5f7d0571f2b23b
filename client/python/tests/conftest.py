# SPDX-License-Identifier: Apache-2.0
"""What the tests share: servers, and both clients in one form.

    BUILD/python-client/bin/python3 -m pytest client/python --server=BUILD/bin/heed-server

scripts/python_client.sh makes that Python. Most tests run twice, with the synchronous client and with that for asyncio."""

import asyncio
import concurrent.futures
import inspect
import os
import pathlib
import sys

import grpc
import pytest

import heed_client

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parents[2]
sys.path.insert(0, str(TREE / "tests/support"))
sys.path.insert(0, str(HERE))
from heed_server import HeedServer  # noqa: E402

WEIGHTS = TREE / "weights"
TRANSLATOR = "translator-en-de"


def pytest_addoption(parser):
    parser.addoption("--server", help="the heed-server to test with")


@pytest.fixture(scope="session")
def binary(pytestconfig):
    """heed-server's path."""
    path = pytestconfig.getoption("--server")
    if path is None:
        pytest.fail("--server=BUILD/bin/heed-server is missing")
    return os.path.abspath(path)


@pytest.fixture(scope="session")
def start(binary):
    """Starts a heed-server with these flags; port 0 unless a flag says otherwise."""
    return lambda *flags: HeedServer(binary, *flags)


@pytest.fixture(scope="session")
def server(start):
    """With the models that ship. It logs each request."""
    with start(f"--models={WEIGHTS}", "--management", "--log_level=debug") as running:
        yield running


@pytest.fixture(scope="session")
def translator_folder(tmp_path_factory):
    """--models of one small translator, which loads fast."""
    folder = tmp_path_factory.mktemp("models")
    (folder / TRANSLATOR).symlink_to(WEIGHTS / TRANSLATOR)
    return folder


@pytest.fixture
def serve():
    """Starts a gRPC server of this process with what `add` adds to it; its address. Stops it at the end."""
    servers = []

    def begin(*adds, address="127.0.0.1:0"):
        one = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=8))
        for add in adds:
            add(one)
        port = one.add_insecure_port(address)
        one.start()
        servers.append(one)
        return f"127.0.0.1:{port}"

    yield begin
    for one in servers:
        one.stop(None).wait()


class Waiting:
    """An object of AsyncClient's as a synchronous one: its coroutines and asynchronous iterators are waited for. So a test
    says once what both clients do."""

    def __init__(self, target, loop):
        self._target = target
        self._loop = loop

    def __getattr__(self, name):
        value = getattr(self._target, name)
        if not callable(value):
            return value
        return lambda *arguments, **keywords: self._wait(
            value(*map(self._bare, arguments), **{key: self._bare(one) for key, one in keywords.items()})
        )

    @staticmethod
    def _bare(value):
        return value._target if isinstance(value, Waiting) else value

    def _wait(self, value):
        if inspect.isawaitable(value):
            value = self._run(value)
        kinds = (heed_client.AsyncClient, heed_client.AsyncTextSession)
        waits = isinstance(value, kinds) or hasattr(value, "__aenter__") or hasattr(value, "__anext__")
        return Waiting(value, self._loop) if waits else value

    def _run(self, awaitable):
        async def wait():
            return await awaitable

        return self._loop.run_until_complete(wait())

    def together(self, count, call):
        """What `count` calls, begun at once, return."""

        async def gather():
            return await asyncio.gather(*(call(self._target) for _ in range(count)))

        return self._run(gather())

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return self._run(self._target.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self):
        close = getattr(self._target, "close", None) or self._target.aclose
        self._run(close())

    def __enter__(self):
        return self._wait(self._target.__aenter__())

    def __exit__(self, *error):
        self._run(self._target.__aexit__(*error))


@pytest.fixture(params=["sync", "asyncio"])
def make_client(request):
    """Makes a Client, or an AsyncClient that is waited for. Closes it at the end."""
    loop = asyncio.new_event_loop() if request.param == "asyncio" else None
    made = []

    def make(*arguments, **keywords):
        if loop is None:
            client = heed_client.Client(*arguments, **keywords)
        else:
            client = Waiting(heed_client.AsyncClient(*arguments, **keywords), loop)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()
    if loop is not None:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@pytest.fixture
def client(make_client, server):
    """Either client, to `server`."""
    return make_client(server.address)
