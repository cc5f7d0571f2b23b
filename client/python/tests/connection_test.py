# SPDX-License-Identifier: Apache-2.0
"""How both clients reach heed-server: TLS and tokens, several servers, waiting, sizes, compression."""

import concurrent.futures
import itertools
import os
import socket
import subprocess

import grpc
import pytest
from conftest import TRANSLATOR
from refusing_service import RefusingService

import heed_client
from heed_client.channel import is_loopback, make_settings, make_target


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """ca.pem, and by each name a certificate and its key."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority", "-days", "2")
    for name in ("server", "client"):
        openssl("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "san").write_text("subjectAltName=DNS:heed.test,DNS:localhost,IP:127.0.0.1\n")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "san")
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed)
    return folder


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    """A file of the server's tokens, and one of a client's."""
    folder = tmp_path_factory.mktemp("tokens")
    secret = "5f2d" * 16
    (folder / "tokens").write_text(f"backend {secret} infer\n")
    (folder / "tokens").chmod(0o600)
    (folder / "token").write_text(secret + "\n")
    (folder / "wrong").write_text("0000" * 16)
    (folder / "empty").write_text("\n")
    return folder


@pytest.fixture(scope="module")
def secure(start, translator_folder, certificates, tokens):
    """With TLS, certificates of clients and tokens."""
    flags = [f"--tls_cert={certificates}/server.pem", f"--tls_key={certificates}/server.key"]
    flags += [f"--tls_client_ca={certificates}/ca.pem", f"--tokens={tokens}/tokens"]
    with start(f"--models={translator_folder}", *flags) as running:
        yield running


def test_certificates_and_a_token(secure, make_client, certificates, tokens):
    shown = {"tls": True, "tls_ca": certificates / "ca.pem"}
    client_s = {"tls_cert": certificates / "client.pem", "tls_key": str(certificates / "client.key")}
    client = make_client(secure.address, token_file=tokens / "token", **shown, **client_s)
    assert len(client.translate(["A dog."], TRANSLATOR)) == 1
    assert len(list(client.stream(["A dog."], TRANSLATOR))) == 1
    port = secure.address.rpartition(":")[2]
    several = [f"127.0.0.1:{port}", f"localhost:{port}"]
    client = make_client(several, tls_name="heed.test", token_file=tokens / "token", **shown, **client_s)
    assert len(client.translate(["A dog."], TRANSLATOR)) == 1
    for token_file in (tokens / "wrong", None):
        with pytest.raises(heed_client.HeedError) as raised:
            make_client(secure.address, token_file=token_file, **shown, **client_s).translate(["A dog."], TRANSLATOR)
        assert raised.value.code() == grpc.StatusCode.UNAUTHENTICATED
    # Without a certificate of its own, and with a name that the server's certificate has not.
    for arguments in (shown, {**shown, **client_s, "tls_name": "other.test"}):
        with pytest.raises(heed_client.HeedError) as raised:
            client = make_client(secure.address, token_file=tokens / "token", timeout_s=2, **arguments)
            client.translate(["A dog."], TRANSLATOR)
        assert raised.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def test_the_environment_s_token_is_sent_to_this_machine_alone(
    start, translator_folder, make_client, tokens, monkeypatch
):
    with start(f"--models={translator_folder}", f"--tokens={tokens}/tokens") as server:
        with pytest.raises(heed_client.HeedError, match="UNAUTHENTICATED"):
            make_client(server.address).models()
        monkeypatch.setenv("HEED_TOKEN", (tokens / "token").read_text())
        assert len(make_client(server.address).models()) == 1
        for far in (
            "heed.example:50051",
            "192.0.2.1:50051",
            ["127.0.0.1:1", "192.0.2.1:1"],
            "ipv4:127.0.0.1:1,192.0.2.1:1",
        ):
            with pytest.raises(ValueError, match=r"the token would travel to .* in plain text"):
                make_client(far)
        make_client("192.0.2.1:50051", insecure_token=True)
        make_client("192.0.2.1:50051", tls=True)


def test_calls_to_this_machine_go_past_a_proxy(make_client, serve, tokens, monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    service = RefusingService()
    address = serve(service.add_to)
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)
        for name in ("grpc_proxy", "https_proxy", "http_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        client = make_client(address, token_file=tokens / "token", timeout_s=10)
        assert client.translate(["yes"]) == ["ja"]
        assert service.metadata["authorization"].startswith("Bearer ")
        with pytest.raises(BlockingIOError):
            proxy.accept()
    options = dict(make_settings("192.0.2.1:1", tls=True).options)
    assert "grpc.enable_http_proxy" not in options


def test_wrong_settings_are_refused(make_client, tokens):
    for arguments, message in (
        ({"tls_ca": "ca.pem"}, "of no use without tls=True"),
        ({"server": ""}, "server is ''"),
        ({"server": []}, r"server is \[\]"),
        ({"server": ["127.0.0.1:1", "heed"]}, "server 'heed' of several must be HOST:PORT"),
        ({"server": ["127.0.0.1:1", "no-such-name.invalid:1"]}, "server 'no-such-name.invalid:1': "),
        ({"server": ["127.0.0.1:1", "127.0.0.1:2"], "tls": True}, "need tls_name"),
        ({"token_file": tokens / "empty"}, "holds no token"),
        ({"keepalive_s": 1}, "keepalive_s is 1, but must be at least 10"),
        ({"compression": "zip"}, "compression is 'zip'; it can be 'gzip', 'deflate'"),
        ({"load_balancing": "random"}, "load_balancing is 'random'; it can be 'pick_first', 'round_robin'"),
        ({"max_message_bytes": 0}, "max_message_bytes is 0"),
        ({"timeout_s": 0}, "timeout_s is 0"),
        ({"priority": 0}, "priority is 0"),
    ):
        with pytest.raises(ValueError, match=message):
            make_client(**arguments)
    with pytest.raises(FileNotFoundError):
        make_client(token_file=tokens / "missing")


def test_addresses_on_this_machine():
    for server in (
        "127.0.0.1:1",
        "[::1]:1",
        "localhost:1",
        "unix:/run/heed.sock",
        "dns:///localhost:1",
        "ipv4:127.0.0.1:1",
    ):
        assert is_loopback(server), server
    for server in ("192.0.2.1:1", "[2001:db8::1]:1", "heed.example:1", "dns:///heed.example:1", "localhost.example:1"):
        assert not is_loopback(server), server
    assert make_target(["heed.example:1"]) == "heed.example:1"
    assert make_target(["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:1"]) == "ipv4:127.0.0.1:1,127.0.0.1:2"
    assert make_target(["[::1]:1", "[::1]:2"]) == "ipv6:[::1]:1,[::1]:2"
    options = dict(make_settings("127.0.0.1:1", keepalive_s=30).options)
    assert options["grpc.keepalive_time_ms"] == 30_000
    assert "pick_first" in options["grpc.service_config"]
    assert "round_robin" in dict(make_settings("dns:///heed.example:1").options)["grpc.service_config"]


def test_several_servers_take_calls_in_turn_and_one_may_be_gone(make_client, serve):
    services = [RefusingService(), RefusingService()]
    addresses = [serve(service.add_to) for service in services]
    client = make_client([*addresses, "127.0.0.1:1"])  # where nobody is
    # The first calls come while a connection is still being made.
    for _ in itertools.takewhile(lambda _: not all(service.tries for service in services), range(1000)):
        client.translate(["yes"])
    before = [service.tries for service in services]
    for _ in range(20):
        client.translate(["yes"])
    # Not 10 each: gRPC begins its round again whenever it has tried the third once more.
    shares = [service.tries - tries for service, tries in zip(services, before)]
    assert sum(shares) == 20
    assert min(shares) >= 5


def test_a_server_that_comes_later_is_waited_for(make_client, start, translator_folder):
    address = start(f"--models={translator_folder}")
    address.terminate()
    client = make_client(address.address, wait_for_ready=True)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        later = pool.submit(start, f"--models={translator_folder}", f"--listen={address.address}")
        # A list that does not wait fails at once.
        assert [model.name for model in client.models()] == [TRANSLATOR]
        assert later.result().terminate() == 0
    impatient = client.with_options(timeout_s=0.3)
    with pytest.raises(heed_client.HeedError, match="DEADLINE_EXCEEDED"):
        impatient.models()


def test_conversations_and_streams_wait_for_a_server_no_longer_than_the_timeout(make_client):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it never answers
        for address in ("127.0.0.1:1", f"127.0.0.1:{silent.getsockname()[1]}"):
            client = make_client(address, timeout_s=0.3, wait_for_ready=True)
            for call in (lambda: client.chat(["Who?"]), lambda: client.read_stream("Call me Ishmael.")):
                with pytest.raises(heed_client.HeedError) as raised:
                    list(call())
                assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        with pytest.raises(heed_client.HeedError, match="DEADLINE_EXCEEDED"):
            list(make_client(address, timeout_s=0.3).chat(["Who?"]))


def test_compressed_requests_and_answers_that_are_too_large(make_client, server):
    texts = ["Two dogs play in the snow."] * 60
    plain = make_client(server.address).translate(texts, TRANSLATOR)
    for compression in ("gzip", "deflate"):
        assert make_client(server.address, compression=compression).translate(texts, TRANSLATOR) == plain
    with pytest.raises(heed_client.HeedError) as raised:
        make_client(server.address, max_message_bytes=1000).translate(texts, TRANSLATOR)
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "1000" in raised.value.message


def test_a_unix_socket(make_client, start, translator_folder, tmp_path):
    path = os.path.relpath(tmp_path / "heed.sock")
    with start(f"--models={translator_folder}", f"--listen=unix:{path}"):
        assert len(make_client(f"unix:{path}").models()) == 1
