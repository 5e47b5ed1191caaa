"""One thread per decode, as in a worker: for benches that decode in their own process, before numpy."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"
