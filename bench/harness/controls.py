"""Controls of running segments, for benches and tests."""

from pipeline.errors import CancelledError


class Watch:
    """Records the segment's progress."""

    def __init__(self) -> None:
        self.checks = self.done = self.batch_size = 0
        self.waited_s = 0.0
        self.refused: int | None = None

    def check(self) -> None:
        self.checks += 1

    def frames(self, done: int, batch_size: int = 1) -> None:
        self.done, self.batch_size = done, batch_size

    def waited(self, seconds: float) -> None:
        self.waited_s = seconds

    def graphs_refused(self, count: int) -> None:
        self.refused = count


class CancelAt(Watch):
    """Cancels the segment after that many frames."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.limit = frames

    def check(self) -> None:
        super().check()
        if self.done >= self.limit:
            raise CancelledError("job")
