"""Names of the stages, in the order in which a job runs through them."""

SEGMENT_STAGES = ("text", "semantic", "speaker", "diffusion", "verify")
"""Stages of one segment, each in a module-level function of `pipeline.stages`."""
JOB_STAGES = (*SEGMENT_STAGES, "stitch")
"""Stages of a job once it is planned."""
