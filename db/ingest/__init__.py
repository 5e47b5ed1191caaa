"""From spooled rows to tables."""
