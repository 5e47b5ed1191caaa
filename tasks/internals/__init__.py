"""Internals of other projects: one module for each, with a list that is checked when a process starts."""
