"""Many documents through a graph: bounded, in order, resumable, and stopped without losing anything."""

from cupel.runner.jobs import Job, failed_outcome
from cupel.runner.progress import Progress, Stop
from cupel.runner.running import Runner

__all__ = ["Job", "Progress", "Runner", "Stop", "failed_outcome"]
