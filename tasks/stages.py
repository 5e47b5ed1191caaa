"""The stages of a segment as tasks: unpack, call the pipeline, pack."""

from functools import partial

from pipeline import stages
from pipeline.stages import Facts, SegmentWork
from tasks.metering.outcome import Replaced
from tasks.orchestration.chord import SegmentRef, Sig, another_take
from tasks.orchestration.resources import VoxchordApp
from tasks.orchestration.stage_control import StageControl
from tasks.orchestration.stage_runner import run_stage
from tasks.task import VoxchordTask


class Verify(VoxchordTask):
    """A task that is replaced by the making of another take if its own is bad."""

    def on_replace(self, sig: Sig) -> None:
        sig.apply_async()
        raise Replaced("by another take")


def register(app: VoxchordApp) -> None:
    """Register the tasks with an app."""
    task = partial(app.task, bind=True, track_started=False)
    task(name="voxchord.text", base=VoxchordTask, ignore_result=True)(text)
    task(name="voxchord.semantic", base=VoxchordTask, ignore_result=True)(semantic)
    task(name="voxchord.speaker", base=VoxchordTask, ignore_result=True)(speaker)
    task(name="voxchord.diffusion", base=VoxchordTask)(diffusion)
    task(name="voxchord.verify", base=Verify)(verify)


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
    """Decode the next take of the segment and store its samples."""
    return run_stage(self.app, self, ref, stages.diffusion)


def verify(self: VoxchordTask, ref: SegmentRef) -> SegmentRef:
    """Check the segment's take; a bad one is followed by another, until one is chosen."""
    app = self.app

    def check(work: SegmentWork, control: StageControl) -> Facts:
        return stages.verify(work, app.resources.checkers.of(work.plan.options.verify))

    def another(work: SegmentWork) -> Sig | None:
        return None if work.next_take() is None else another_take(app, work.plan, ref)

    return run_stage(app, self, ref, check, another)
