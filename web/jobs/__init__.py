"""`/v1/audio/jobs`: long jobs with an ID of the client's choice, their files, segments and takes.

`records` has the record of a job over HTTP, which names the Celery task; everything else about it is read
from the plan, the outcomes and the history of the job that the task became.
"""
