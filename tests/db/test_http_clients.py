"""Tests of the HTTP service's clients, on SQLite and PostgreSQL."""

import threading

import pytest
from sqlalchemy import Engine, select

from db import http_clients
from db.http_clients import ClientError, OverQuota, Quota
from db.schema import http_client

NOW = 1_800_000_000.0


def test_only_hashes_of_keys_are_stored(engine: Engine) -> None:
    key = http_clients.create(engine, "blog", Quota())
    with engine.connect() as connection:
        stored = str(connection.execute(select(http_client)).all())
    assert key not in stored
    assert http_clients.hashed(key) in stored


def test_a_revoked_client_can_get_another_key(engine: Engine) -> None:
    first = http_clients.create(engine, "blog", Quota())
    with pytest.raises(ClientError, match="has a key already"):
        http_clients.create(engine, "blog", Quota())
    http_clients.revoke(engine, "blog")
    with pytest.raises(ClientError, match="no valid key"):
        http_clients.revoke(engine, "blog")
    second = http_clients.create(engine, "blog", Quota(jobs_at_once=2))
    (client,) = http_clients.clients(engine)
    assert first != second
    assert (client.key_hash, client.quota.jobs_at_once) == (http_clients.hashed(second), 2)


def test_requests_per_minute_are_counted_in_a_window(engine: Engine) -> None:
    quota = Quota(requests_per_minute=2)
    http_clients.create(engine, "blog", quota)

    def ask(task: str, at_s: float) -> OverQuota | None:
        return http_clients.admit(engine, "blog", quota, task, 1, now=NOW + at_s)

    assert [ask("1", 0), ask("2", 10)] == [None, None]
    assert ask("3", 20) == OverQuota("requests_per_minute", 2, 40)
    assert ask("4", 61) is None


def test_characters_are_counted_over_a_day(engine: Engine) -> None:
    quota = Quota(characters_per_day=100)
    http_clients.create(engine, "blog", quota)
    assert http_clients.admit(engine, "blog", quota, "1", 60, now=NOW) is None
    over = http_clients.admit(engine, "blog", quota, "2", 41, now=NOW + 3600)
    assert over == OverQuota("characters_per_day", 100, 23 * 3600)
    assert http_clients.admit(engine, "blog", quota, "3", 40, now=NOW + 3600) is None
    assert http_clients.admit(engine, "other", Quota(), "4", 999, now=NOW) is None


def test_ended_requests_do_not_count_as_running(engine: Engine) -> None:
    quota = Quota(jobs_at_once=1)
    http_clients.create(engine, "blog", quota)
    assert http_clients.admit(engine, "blog", quota, "1", 1, now=NOW) is None
    assert http_clients.admit(engine, "blog", quota, "2", 1, now=NOW) == OverQuota("jobs_at_once", 1, 5)
    assert http_clients.unended(engine, "blog", now=NOW) == ["1"]
    http_clients.end(engine, "1", now=NOW)
    assert http_clients.admit(engine, "blog", quota, "2", 1, now=NOW) is None


def test_concurrent_requests_do_not_pass_a_quota_together(engine: Engine) -> None:
    quota = Quota(jobs_at_once=3)
    http_clients.create(engine, "blog", quota)
    found: list[OverQuota | None] = []

    def ask(number: int) -> None:
        found.append(http_clients.admit(engine, "blog", quota, str(number), 1, now=NOW))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(None) == 3
