"""Test runs on one machine leave each other alone, also what an earlier one left behind."""

from pathlib import Path

import pytest
import redis

from bench.valkey import Valkey


def test_who_has_the_url_of_another_server_is_refused(tmp_path: Path) -> None:
    earlier, server = Valkey(tmp_path / "earlier"), Valkey(tmp_path / "server", appendonly="yes")
    user, place = earlier.url.rpartition("@")[0], server.url.rpartition("@")[2]
    earlier.stop()
    for url in (f"{user}@{place}", f"redis://{place}", f"redis://:word@{place}"):
        with redis.Redis.from_url(url) as stranger, pytest.raises(redis.RedisError):
            stranger.brpop(["voxchord"], 1)
    server.stop()


def test_a_server_that_was_killed_comes_back_with_its_data_at_its_url(tmp_path: Path) -> None:
    server = Valkey(tmp_path, appendonly="yes", appendfsync="always")
    url = server.url
    server.client.set("kept", 1)
    server.kill()
    server.start()
    assert (server.url, server.client.get("kept")) == (url, b"1")
    server.stop()
