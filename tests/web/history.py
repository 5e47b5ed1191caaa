"""The history of a running service."""

from sqlalchemy import create_engine, text

from bench.harness.http_service import HttpService


def state_of(service: HttpService, task: str) -> str | None:
    """State of the job of a task; None while the history has none."""
    engine = create_engine(service.settings.history_url)
    with engine.connect() as connection:
        query = text("SELECT state FROM job WHERE root_id = :task")
        found: str | None = connection.execute(query, {"task": task}).scalar_one_or_none()
    engine.dispose()
    return found
