"""Tests of the embedded broker's password."""

import socket
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import redis

from bench.harness.services import free_port
from bench.harness.waiting import until
from tasks.local.embedded_broker import EmbeddedBroker

_SET = b"*3\r\n$3\r\nSET\r\n$8\r\nstranger\r\n$1\r\n1\r\n"


class Stranger:
    """Sends commands to a port continuously, without a password."""

    def __init__(self, port: int) -> None:
        self.answers: list[bytes] = []
        self._port, self._ended = port, threading.Event()
        self._thread = threading.Thread(target=self._knock)
        self._thread.start()

    def _knock(self) -> None:
        while not self._ended.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=1) as connection:
                    connection.sendall(_SET)
                    self.answers += [answer] if (answer := connection.recv(64)) else []
            except OSError:
                continue

    def leave(self) -> None:
        self._ended.set()
        self._thread.join()


def test_servers_require_their_password_from_the_start(tmp_path: Path) -> None:
    broker, port = EmbeddedBroker(tmp_path), free_port()
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker" / "port").write_text(str(port))
    (tmp_path / "broker" / "port").chmod(0o600)
    stranger = Stranger(port)
    try:
        url = broker.start()
        assert urlsplit(url).port == port
        with redis.Redis.from_url(url) as owner:
            owner.set("retained", 1)
            owner.execute_command("WAITAOF", 1, 0, 5000)
            assert broker.process
            (server,) = psutil.Process(broker.process.pid).children()
            before = len(stranger.answers)
            server.kill()
            until(lambda: len(stranger.answers) > before + 20)
            assert owner.get("retained") == b"1", "the same URL, and the data"
            assert owner.get("stranger") is None
    finally:
        stranger.leave()
        broker.stop()
    assert {answer.partition(b" ")[0] for answer in stranger.answers} == {b"-NOAUTH"}
    for path in (tmp_path / "broker").rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


def test_restarted_brokers_keep_messages_and_port(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path)
    first = broker.start()
    with redis.Redis.from_url(first) as owner:
        owner.lpush("voxchord", "a message")
    broker.stop()
    second = broker.start()
    try:
        assert urlsplit(second).port == urlsplit(first).port
        assert urlsplit(second).password != urlsplit(first).password
        with redis.Redis.from_url(second) as owner:
            assert owner.lrange("voxchord", 0, -1) == [b"a message"]
    finally:
        broker.stop()


def test_concurrent_starts_share_one_broker(tmp_path: Path) -> None:
    brokers = [EmbeddedBroker(tmp_path) for _ in range(3)]
    try:
        with ThreadPoolExecutor(len(brokers)) as pool:
            urls = list(pool.map(EmbeddedBroker.start, brokers))
        assert len(set(urls)) == 1
        assert [broker.started for broker in brokers].count(True) == 1
    finally:
        for broker in brokers:
            broker.stop()
