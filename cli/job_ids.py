"""Jobs as a user names them: by job ID, its first characters, or the ID of the Celery task."""

from pipeline.errors import OptionError
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import is_id

_SHOWN_MAX = 5


def find_job(jobs: Jobs, text: str) -> str:
    """Find a job; a whole job ID or task ID has precedence over a prefix.

    Raises:
        OptionError: no job has that name, or several do.
    """
    if is_id(text) and (jobs.plans.get(text) or jobs.intake.refusal(text)):
        return text
    found = jobs.intake.job_of(text) if text else None
    return found or _by_prefix(jobs, text)


def _by_prefix(jobs: Jobs, text: str) -> str:
    known = {*jobs.plans.ids(), *jobs.intake.refused()} if text else ()
    found = sorted(name for name in known if name.startswith(text))
    if not found:
        reason = f"no job ID starts with {text!r}, and no accepted request has that task ID"
        raise OptionError("job", f"{reason}; `jobs` lists the newest")
    if len(found) > 1:
        named = ", ".join(found[:_SHOWN_MAX]) + (", …" if len(found) > _SHOWN_MAX else "")
        raise OptionError("job", f"{len(found)} job IDs start with {text!r}: {named}; give more characters")
    return found[0]
