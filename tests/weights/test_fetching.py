"""Downloads, against a server of the test's own that does what servers do."""

import hashlib
import http.server
import itertools
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo.weights import addresses, download, fetching

ROOT = Path(__file__).parents[2]
CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT at every path, in the way that `behave` says; counts what it is asked."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, context=None):
        super().__init__(("127.0.0.1", 0), Handler)
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.requests = []  # (path, headers)
        self.behave = lambda handler: handler.send()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # clients of these tests hang up in the middle

    def url(self, name="net.h5", scheme="http"):
        return f"{scheme}://localhost:{self.server_address[1]}/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.requests.append((self.path, dict(self.headers)))
        self.server.behave(self)
        self.close_connection = True

    def log_message(self, *_):
        pass

    def send(self, content=CONTENT, *, status=None, length=True, upto=None, headers=(), pause=0.0, ranges=True):
        """Answer with (a part of) the content; `upto` ends after so many bytes of it, `pause` waits between pieces."""
        start = 0
        if ranges and "Range" in self.headers:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_response(status or (206 if start else 200))
        headers = dict(headers)
        if length:
            headers.setdefault("Content-Length", str(len(content) - start))
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        body = content[start:upto]
        for piece in (body[i : i + 10_000] for i in range(0, len(body), 10_000)):
            self.wfile.write(piece)
            self.wfile.flush()
            time.sleep(pause)

    def fail(self, code):
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    for name in ("ZOO_OFFLINE", "ZOO_MIRROR", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(addresses, "SCHEMES", ("https", "http"))
    monkeypatch.setattr(download, "TIMEOUT", 5.0)
    monkeypatch.setattr(download, "RETRY_PAUSES", (0.01, 0.01, 0.01))
    with Server() as running:
        yield running
        running.shutdown()


def files():
    """What is in the cache, but for locks."""
    return sorted(path.name for path in fetching.cache().rglob("*") if path.is_file() and path.suffix != ".lock")


def refused(*arguments, **options):
    with pytest.raises(zoo.UsageError) as caught:
        fetching.fetch(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# The good way


@pytest.mark.parametrize("known", [{}, {"hash": SHA256}, {"hash": MD5}, {"hash": SHA256[:15]}, {"size": len(CONTENT)}])
def test_a_file_comes_once_and_whole(known, server):
    path = fetching.fetch(server.url(), **known)
    assert path.read_bytes() == CONTENT
    assert fetching.fetch(server.url(), **known) == path
    assert len(server.requests) == 1 and files() == ["net.h5"]
    assert path.is_relative_to(fetching.cache())


def test_chunks_of_unknown_length_are_taken(server):
    def chunked(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for start in range(0, len(CONTENT), 50_000):
            piece = CONTENT[start : start + 50_000]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    server.behave = chunked
    assert fetching.fetch(server.url()).read_bytes() == CONTENT


def test_names_stay_inside_the_cache(server):
    for name in ("..%2f..%2fetc%2fpasswd", "a/../../../b.h5", ".hidden", "", "a%00b", "x?name=../../y"):
        path = fetching.cached_path(server.url(name))
        assert path.resolve().parent.parent == (fetching.cache() / "weights").resolve()
        assert path.name and not path.name.startswith(".")
    assert fetching.cached_path(server.url("a.h5")) != fetching.cached_path(server.url("b/a.h5")), "one name, two files"


def test_a_mirror_takes_the_place_of_every_host(server, monkeypatch):
    monkeypatch.setenv("ZOO_MIRROR", server.url("mirror/"))
    path = fetching.fetch("https://example.org/nets/a.h5?v=1", hash=SHA256)
    assert path == fetching.cached_path("https://example.org/nets/a.h5?v=1") and path.read_bytes() == CONTENT
    assert [request[0] for request in server.requests] == ["/mirror/example.org/nets/a.h5?v=1"]
    monkeypatch.setenv("ZOO_MIRROR", "ftp://example.org")
    assert "expected https://" in refused(server.url("b.h5"))


# What passes, and what does not


def in_turn(*behaviours):
    """A behaviour for each request; the last one for all that follow."""
    turns = itertools.chain(behaviours, itertools.repeat(behaviours[-1]))
    return lambda handler: next(turns)(handler)


def test_an_overloaded_server_is_asked_again(server):
    server.behave = in_turn(lambda h: h.fail(503), lambda h: h.fail(503), Handler.send)
    assert fetching.fetch(server.url()).read_bytes() == CONTENT
    assert len(server.requests) == 3


def test_after_three_retries_it_is_given_up(server):
    server.behave = lambda handler: handler.fail(503)
    said = refused(server.url())
    assert "answers 503" in said and "4 times" in said and len(server.requests) == 4
    assert files() == []


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_a_refusal_is_taken_as_one(code, server):
    server.behave = lambda handler: handler.fail(code)
    assert f"answers {code}" in refused(server.url())
    assert len(server.requests) == 1 and files() == []


@pytest.mark.parametrize("sent", [0, 100_000])
def test_a_server_that_stalls_is_given_up(sent, server, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.3)

    def stall(handler):
        handler.send(upto=sent)
        time.sleep(3)

    server.behave = stall
    start = time.perf_counter()
    assert "nothing came for 0.3 s" in refused(server.url())
    assert time.perf_counter() - start < 10, "without a time-out it would be 12"


def test_the_real_patience_ends_within_thirty_seconds():
    assert (len(download.RETRY_PAUSES) + 1) * download.TIMEOUT + sum(download.RETRY_PAUSES) <= 30


def test_a_host_that_is_not_there_is_said(server):
    port = server.server_address[1]
    server.shutdown()
    server.server_close()
    assert "cannot be fetched" in refused(f"http://localhost:{port}/a.h5")


def test_a_cut_download_goes_on_where_it_stopped(server):
    server.behave = in_turn(
        lambda h: h.send(upto=100_000, headers={"ETag": '"one"'}),
        lambda h: h.send(upto=200_000, headers={"ETag": '"one"'}),
        lambda h: h.send(headers={"ETag": '"one"'}),
    )
    assert fetching.fetch(server.url(), hash=SHA256).read_bytes() == CONTENT
    asked = [headers.get("Range") for _, headers in server.requests]
    assert asked == [None, "bytes=100000-", "bytes=200000-"]
    assert [headers.get("If-Range") for _, headers in server.requests] == [None, '"one"', '"one"']
    assert files() == ["net.h5"]


def test_the_next_call_goes_on_too(server):
    server.behave = lambda handler: handler.send(upto=100_000)
    assert "ended after 100,000 of 300,000" in refused(server.url(), hash=SHA256)
    assert files() == ["net.h5.part"]
    server.behave = Handler.send
    assert fetching.fetch(server.url(), hash=SHA256).read_bytes() == CONTENT
    assert server.requests[-1][1]["Range"] == "bytes=100000-"


def test_without_a_hash_or_version_it_starts_again(server):
    """Two halves may be of two versions, and nothing would tell."""
    server.behave = in_turn(lambda h: h.send(upto=100_000), Handler.send)
    assert fetching.fetch(server.url()).read_bytes() == CONTENT
    assert all("Range" not in headers for _, headers in server.requests)


def test_a_server_without_ranges_sends_it_all_again(server):
    server.behave = in_turn(lambda h: h.send(upto=100_000), lambda h: h.send(ranges=False))
    assert fetching.fetch(server.url(), hash=SHA256).read_bytes() == CONTENT


def test_a_beginning_of_another_file_is_thrown_away(server):
    path = fetching.cached_path(server.url())
    path.parent.mkdir(parents=True)
    for beginning in (bytes(100_000), bytes(300_000), bytes(400_000)):
        path.with_name("net.h5.part").write_bytes(beginning)

        def serve(handler):
            asked = handler.headers.get("Range", "bytes=0-")
            beyond = int(asked.removeprefix("bytes=").removesuffix("-")) >= len(CONTENT)
            return handler.fail(416) if beyond else handler.send()

        server.behave = serve
        assert fetching.fetch(server.url(), hash=SHA256).read_bytes() == CONTENT
        path.unlink()


# What is not the file


@pytest.mark.parametrize(
    ("behaviour", "known", "says"),
    [
        (lambda h: h.send(CONTENT[:-1] + b"x"), {"hash": SHA256}, "is another file: its sha256"),
        (lambda h: h.send(CONTENT + b"x"), {"size": len(CONTENT)}, "has 300,001 bytes; expected 300,000"),
        (lambda h: h.send(CONTENT + b"x", length=False), {"size": len(CONTENT)}, "expected at most 300,000"),
        (lambda h: h.send(CONTENT[:-1], length=False), {"size": len(CONTENT)}, "has 299,999 bytes; expected 300,000"),
        (lambda h: h.send(), {"limit": 200_000}, "expected at most 200,000"),
        (lambda h: h.send(length=False), {"limit": 200_000, "hash": SHA256}, "expected at most 200,000"),
        (lambda h: h.send(length=False), {}, "does not say how long the file is"),
        (lambda h: h.send(b"<html>", headers={"Content-Type": "text/html; charset=utf-8"}), {}, "is a web page"),
        (lambda h: h.send(headers={"Content-Encoding": "gzip"}), {}, "comes compressed"),
    ],
)
def test_another_file_is_refused_and_not_kept(behaviour, known, says, server):
    server.behave = behaviour
    assert says in refused(server.url(), **known)
    assert not fetching.cached_path(server.url()).exists()
    assert all(path.stat().st_size == 0 for path in fetching.cache().rglob("*") if path.is_file())


def test_a_file_that_is_there_is_never_touched(server):
    path = fetching.cached_path(server.url())
    path.parent.mkdir(parents=True)
    path.write_bytes(b"my own work")
    assert "move it away, it is not overwritten" in refused(server.url(), hash=SHA256)
    assert "move it away" in refused(server.url(), size=len(CONTENT))
    assert path.read_bytes() == b"my own work" and not server.requests

    def meanwhile(handler):  # someone puts a file there during the download
        path.write_bytes(b"my own work")
        handler.send()

    path.unlink()
    server.behave = meanwhile
    assert "move it away" in refused(server.url(), hash=SHA256)
    assert path.read_bytes() == b"my own work"


# Where it may go


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://localhost/a.h5", "http://localhost/a.h5", "data:,x"])
def test_redirects_to_anything_but_https_are_refused(target, server, monkeypatch):
    def redirect(handler):
        monkeypatch.setattr(addresses, "SCHEMES", ("https",))
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.behave = redirect
    said = refused(server.url())
    assert "expected https" in said or "leads to no https address" in said
    assert files() == []


def test_redirects_are_followed_and_end(server):
    def redirect(handler):
        if handler.path == "/net.h5":
            handler.send_response(302)
            handler.send_header("Location", "/elsewhere")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        else:
            handler.send()

    server.behave = redirect
    assert fetching.fetch(server.url(), hash=SHA256).read_bytes() == CONTENT

    def endless(handler):
        handler.send_response(302)
        handler.send_header("Location", f"/{len(server.requests)}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.behave = endless
    assert "leads to no" in refused(server.url("other.h5"))
    assert len(server.requests) < 12


@pytest.mark.parametrize("url", ["http://example.org/a", "file:///etc/passwd", "ftp://a.org/b", "https:///a", "a.h5"])
def test_only_https(url):
    with pytest.raises(zoo.UsageError, match="expected https://"):
        fetching.fetch(url)


def test_secrets_of_an_address_are_not_told(server):
    server.behave = lambda handler: handler.fail(404)
    assert "a1b2c3" not in refused(server.url("a.h5?token=a1b2c3"))
    said = refused(server.url().replace("localhost", "me:a1b2c3@localhost"))
    assert "a1b2c3" not in said and "comes with a password" in said and len(server.requests) == 1


def test_offline_never_touches_the_network(server, monkeypatch):
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.setattr(download, "opener", lambda: pytest.fail("the network was touched"))
    said = refused(server.url(), hash=SHA256, size=len(CONTENT))
    place = fetching.cached_path(server.url())
    for text in ("ZOO_OFFLINE is set", str(place), server.url(), "300,000 bytes", SHA256):
        assert text in said
    assert not fetching.cache().exists()
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT)
    assert fetching.fetch(server.url(), hash=SHA256) == place


@pytest.mark.parametrize(
    ("value", "offline"), [("", False), ("0", False), ("false", False), ("1", True), ("yes", True)]
)
def test_the_offline_switch(value, offline, monkeypatch):
    monkeypatch.setenv("ZOO_OFFLINE", value)
    assert fetching.offline() is offline


def test_the_cache_is_where_it_was_said(monkeypatch, tmp_path):
    monkeypatch.delenv("ZOO_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert fetching.cache() == tmp_path / ".cache" / "zoo"
    monkeypatch.setenv("ZOO_CACHE", "~/here")
    assert fetching.cache() == tmp_path / "here"


def test_a_cache_that_cannot_be_written_to_is_named(server, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "file"))
    said = refused(server.url())
    assert str(tmp_path / "file") in said and "ZOO_CACHE" in said and not server.requests


def test_a_full_disk_is_said_before_the_download(server, monkeypatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=100_000))
    said = refused(server.url())
    assert "has room for 100,000 bytes; expected 300,000" in said and "ZOO_CACHE" in said
    assert files() == []


def test_a_disk_that_fills_up_is_said(server, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    said = refused(server.url())
    assert "No space left on device" in said and str(fetching.cache()) in said
    assert not fetching.cached_path(server.url()).exists() and len(server.requests) == 1


# Several processes, and processes that die

PROGRAM = """
import sys, hashlib
from zoo.weights import addresses, download, fetching
addresses.SCHEMES = ("http",)
path = fetching.fetch(sys.argv[1], hash=sys.argv[2])
print(hashlib.sha256(path.read_bytes()).hexdigest(), "keras" in sys.modules)
"""


def process(server, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM, server.url(), SHA256]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True, **options)


def test_eight_processes_at_once_download_once(server):
    server.behave = lambda handler: handler.send(pause=0.02)
    processes = [process(server) for _ in range(8)]
    answers = {each.communicate(timeout=120)[0].strip() for each in processes}
    assert answers == {f"{SHA256.removeprefix('sha256:')} False"}, "eight right files, and Keras was not needed"
    assert len(server.requests) == 1 and files() == ["net.h5"]


def kill_some(server, times, draw):
    path = fetching.cached_path(server.url())
    for _ in range(times):
        server.behave = lambda handler: handler.send(pause=0.01)
        before = len(server.requests)
        running = process(server, stderr=subprocess.DEVNULL)
        while len(server.requests) == before and running.poll() is None:
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.4))
        running.send_signal(signal.SIGKILL)
        running.wait()
        assert not path.exists() or path.read_bytes() == CONTENT, "a part under the final name"
        path.unlink(missing_ok=True)
    server.behave = Handler.send
    assert fetching.fetch(server.url(), hash=SHA256).read_bytes() == CONTENT
    assert files() == ["net.h5"]


def test_killed_downloads_leave_no_partial_file(server):
    kill_some(server, 4, np.random.default_rng(0))


@pytest.mark.slow
def test_a_hundred_killed_downloads_leave_no_partial_file(server):
    kill_some(server, 100, np.random.default_rng(1))


# Over https in earnest


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to make a certificate with")
def test_https_needs_a_certificate_that_is_trusted(server, tmp_path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setattr(addresses, "SCHEMES", ("https",))
    with Server(context) as secure:
        url = secure.url(scheme="https")
        assert "cannot prove who it is" in refused(url, hash=SHA256)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert fetching.fetch(url, hash=SHA256).read_bytes() == CONTENT
        secure.shutdown()


def test_a_bar_is_shown_on_a_terminal_only(server, monkeypatch, capsys):
    fetching.fetch(server.url("a.h5"))
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    fetching.fetch(server.url("b.h5"))
    assert "300000/300000" in capsys.readouterr().out


def test_a_server_that_drips_is_given_up(server, monkeypatch):
    monkeypatch.setattr(download, "PATIENCE", 0.5)

    def drip(handler):
        handler.send(upto=0)
        for byte in CONTENT[:100]:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(0.1)

    server.behave = drip
    start = time.perf_counter()
    assert "fewer than 65,536 bytes came in 0.5 s" in refused(server.url())
    assert time.perf_counter() - start < 5


def test_a_slow_server_that_goes_on_is_not_given_up(server, monkeypatch):
    monkeypatch.setattr(download, "PATIENCE", 1.5)
    monkeypatch.setattr(download, "PROGRESS", 5_000)
    server.behave = lambda handler: handler.send(pause=0.06)  # 1.8 s in all
    assert fetching.fetch(server.url(), hash=SHA256).read_bytes() == CONTENT


def test_a_head_that_drips_and_many_addresses_are_one_time_out(server, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    monkeypatch.setattr(download, "PATIENCE", 0.5)

    def drip(handler):
        for number in range(50):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n"[number : number + 1] or b"x")
            handler.wfile.flush()
            time.sleep(0.1)

    server.behave = drip
    start = time.perf_counter()
    assert "cannot be fetched" in refused(server.url())
    assert time.perf_counter() - start < 4


def test_without_a_network_nothing_is_tried_again(server, monkeypatch):
    asked = []

    def nowhere(host, *arguments, **options):
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    monkeypatch.setattr(download, "RETRY_PAUSES", (10.0,))
    assert "Name or service not known; connect to the network" in refused("https://example.invalid/a.h5")
    assert len(asked) == 1


def test_two_lengths_are_refused(server):
    def twice(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "300000")
        handler.send_header("Content-Length", "10")
        handler.end_headers()

    server.behave = twice
    assert "comes with 2 lengths" in refused(server.url())


def test_a_status_line_writes_nothing_on_the_terminal(server, caplog):
    server.behave = lambda handler: handler.send_response(503, "\x1b[31mred" + "x" * 500) or handler.end_headers()
    said = refused(server.url()) + caplog.text
    assert "\x1b" not in said and r"\x1b[31mred" in said and "x" * 101 not in said


@pytest.mark.parametrize(
    "url", ["https://exa\ud800mple.org/a", "https://a..\u00fc/b", "https://host:port/a", "https://[::1/a"]
)
def test_what_is_no_address_is_refused(url, server):
    assert "expected https://host/file" in refused(url)


def test_letters_of_all_kinds_may_stand_in_an_address(server):
    assert fetching.fetch(server.url("gr\u00f6\u00dfe.h5"), hash=SHA256).read_bytes() == CONTENT
    assert server.requests[0][0] == "/gr%C3%B6%C3%9Fe.h5"


def test_a_process_that_holds_a_lock_and_fetches_nothing_is_named(server, monkeypatch):
    from filelock import FileLock

    monkeypatch.setattr(fetching, "LOCK_PATIENCE", 0.2)
    path = fetching.cached_path(server.url())
    path.parent.mkdir(parents=True)
    with FileLock(f"{path}.lock"):
        said = []
        waiting = threading.Thread(target=lambda: said.append(refused(server.url())))
        waiting.start()
        waiting.join(10)
    assert "another process has held" in said[0] and "nothing was fetched" in said[0]


def test_nothing_is_fetched_before_the_users_own_files_are_there(server, monkeypatch, tmp_path):
    monkeypatch.setattr(fetching, "fetch", lambda url, **options: pytest.fail(f"{url} was asked for"))
    with pytest.raises(zoo.UsageError, match=r"none\.png is not there"):
        zoo.predict("resnet50", tmp_path / "none.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(zoo.UsageError, match="has 0 sub-folders"):
        zoo.train("resnet50", weights="imagenet", data=tmp_path / "empty", run=tmp_path / "run")
