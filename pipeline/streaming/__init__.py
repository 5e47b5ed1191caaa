"""Streaming of a job's segments in order, while later ones are still made.

A stream depends on the request alone: levels are fixed by voice and segment, so that no later segment changes
what has been sent. It is not the finished file, whose levels follow from all segments.
"""
