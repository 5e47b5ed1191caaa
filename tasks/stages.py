"""The four stages of a segment as tasks: unpack, call the pipeline, pack."""

from functools import partial

from pipeline import stages
from tasks.orchestration.chord import SegmentRef
from tasks.orchestration.resources import VoxchordApp
from tasks.orchestration.stage_runner import run_stage
from tasks.task import VoxchordTask


def register(app: VoxchordApp) -> None:
    """Register the tasks with an app."""
    task = partial(app.task, bind=True, base=VoxchordTask, track_started=False)
    task(name="voxchord.text", ignore_result=True)(text)
    task(name="voxchord.semantic", ignore_result=True)(semantic)
    task(name="voxchord.speaker", ignore_result=True)(speaker)
    task(name="voxchord.diffusion")(diffusion)


def text(self: VoxchordTask, ref: SegmentRef) -> SegmentRef:
    """Convert the segment's words to the engine's tokens."""
    return run_stage(self.app, self, ref, lambda work, control: stages.text(work))


def semantic(self: VoxchordTask, ref: SegmentRef) -> SegmentRef:
    """Convert tokens to the model's conditioning, and plan the frames."""
    return run_stage(self.app, self, ref, lambda work, control: stages.semantic(work))


def speaker(self: VoxchordTask, ref: SegmentRef) -> SegmentRef:
    """Convert reference recordings to speaker embeddings, once per voice."""
    return run_stage(self.app, self, ref, stages.speaker)


def diffusion(self: VoxchordTask, ref: SegmentRef) -> SegmentRef:
    """Decode the segment and store its samples."""
    return run_stage(self.app, self, ref, stages.diffusion)
