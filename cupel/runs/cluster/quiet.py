"""Loaded by the workers of a cluster of our own, which share the driver's terminal: it is the driver that answers there.

Ctrl-C and a closed terminal are not theirs to hear, and what is away, or was given up at a stop, not theirs to tell.
"""

from __future__ import annotations

import logging
import signal


def dask_setup(_worker: object) -> None:
    """Called by Dask in each worker's process as it starts."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    for name in ("cupel", "distributed"):
        logging.getLogger(name).setLevel(logging.ERROR)
