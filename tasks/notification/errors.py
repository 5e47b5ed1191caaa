"""Errors of a notification or a hand-over."""


class NotDeliveredError(Exception):
    """A notification or a book that was not accepted. The message never repeats the URL or a key."""
