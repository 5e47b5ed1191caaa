"""OpenMP thread teams: the decoding thread keeps one, the threads that run stages keep none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

STAGES = """
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import torch

from pipeline.engines.protocol import Line, Reference, SegmentText
from pipeline.engines.vibevoice.engine import VibeVoice
from pipeline.engines.vibevoice.settings import EngineSettings
from bench.harness.controls import Watch

def members():
    return psutil.Process().num_threads() - threading.active_count()

torch.set_num_threads(2)
before = members()
engine = VibeVoice(sys.argv[1], EngineSettings(device="cpu", slots=3, reference_s=75.0))
options, segment = engine.options({}), SegmentText((Line(0, "Hello."), Line(1, "Hi.")), 2, 0)
together = threading.Barrier(3)

def recording(seed):  # so long that torch computes in parallel on one voice's embedding
    samples = np.random.default_rng(seed).normal(0, 0.2, 75 * 24_000).astype(np.float32)
    return Reference(samples=samples, sample_rate_hz=24_000)

def stages(number):
    voices = [engine.speaker(recording(2 * number + slot), options) for slot in range(2)]
    semantic = engine.semantic(engine.text(segment, options), options)
    engine.diffusion(semantic, voices, number, options, Watch())
    together.wait(60)
    return members()

with ThreadPoolExecutor(3) as pool:
    print(min(pool.map(stages, range(3))) - before)
"""


@pytest.mark.slow
def test_stages_leave_no_thread_team(talkative: Path) -> None:
    command = [sys.executable, "-c", STAGES, str(talkative)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # numpy's threads are no team's
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert int(ran.stdout) == 1, "the decoding thread's"
