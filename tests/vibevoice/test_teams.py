"""The stages leave no team of OpenMP's behind in the threads that ran them."""

import os
import subprocess
import sys
from pathlib import Path

STAGES = """
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import psutil

from pipeline.engines.protocol import Line, SegmentText
from pipeline.engines.vibevoice.adapter import VibeVoice
from tests.vibevoice.controls import Watch
from tests.vibevoice.test_adapter import SETTINGS, recording

engine = VibeVoice(sys.argv[1], SETTINGS)
options, segment = engine.options({}), SegmentText((Line(0, "Hello."), Line(1, "Hi.")), 2, 0)
together = threading.Barrier(3)

def stages(number):
    voices = [engine.speaker(recording(2 * number + slot, 30.0), options) for slot in range(2)]
    semantic = engine.semantic(engine.text(segment, options), options)
    engine.diffusion(semantic, voices, number, options, Watch())
    together.wait(60)
    return psutil.Process().num_threads() - threading.active_count()

with ThreadPoolExecutor(3) as pool:
    print(min(pool.map(stages, range(3))))
"""


def test_stages_leave_no_team_behind(talkative: Path) -> None:
    one = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "MKL")}
    command = [sys.executable, "-c", STAGES, str(talkative)]
    environment = {**os.environ, **one, "OMP_NUM_THREADS": "3"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert int(ran.stdout) == 0
