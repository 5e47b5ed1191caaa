"""Planning, synthesis and stitching of speech, without Celery and SQL; runs in a notebook."""
