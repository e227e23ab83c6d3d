"""Loaded by the workers of a cluster of our own: Ctrl-C, or a closed terminal, is the driver's to answer, not theirs."""

from __future__ import annotations

import signal


def dask_setup(_worker: object) -> None:
    """Called by Dask in each worker's process as it starts."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
