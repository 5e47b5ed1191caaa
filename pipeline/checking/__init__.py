"""Checks of a take: measurements of its samples, and in mode `full` of the words and voices in them."""
