"""State of processes."""

import psutil


def ended(process: psutil.Process) -> bool:
    """Check this before any use of the process."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
