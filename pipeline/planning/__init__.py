"""From a script to a job's plan: the request, the segments, the records."""
