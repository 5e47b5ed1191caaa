"""Last import of the process from which tests fork others.

It loads the dictionaries of the embedded voice, and makes the garbage collector of the forks leave alone what
has been imported, since memory that it visits is copied. The forks begin without memory that loading freed.
"""

import gc

from pipeline.engines.heap import trim_heap
from pipeline.engines.hibari import durations

durations.front_end()
gc.collect()
gc.freeze()
trim_heap()
