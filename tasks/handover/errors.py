"""Errors of a hand-over."""

from tasks.notification.errors import NotDeliveredError


class OccupiedError(NotDeliveredError):
    """A place that has another book, or cannot be written to.

    The message names the book, so it is for a person who asks and not for a log.
    """
