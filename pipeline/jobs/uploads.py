"""Uploaded books, which are stored for a day.

uploads/<owner>/<ID>    a book's file
"""

from pipeline import clock
from pipeline.store.artifacts import Store

RETENTION_S = 86_400.0
FOLDER = "uploads"


def delete_expired(store: Store) -> int:
    """Delete the expired uploads of all owners; returns their number."""
    now = clock.now()
    expired = [name for name, modified_s, _ in store.objects.names(FOLDER) if now - modified_s > RETENTION_S]
    for name in expired:
        store.objects.delete(name)
    return len(expired)
