"""Limit of one numeric thread per decode, as in a worker; to be imported before numpy."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"
