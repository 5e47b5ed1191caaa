"""One thread per decode, as in a worker. Imported before numpy by benches that decode in their own process."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"
