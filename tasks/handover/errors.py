"""Errors of a hand-over."""

from tasks.notification.delivery import NotDeliveredError


class OccupiedError(NotDeliveredError):
    """A place that has another book, which voxchord did not put there. The message names it, so it is for a
    person who asks and not for a log.
    """
