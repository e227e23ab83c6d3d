"""cupel tasks: what can be extracted here."""

from __future__ import annotations

from cupel.cli import _options as options


def tasks(as_json: options.AsJson = False) -> None:
    """List what can be extracted here.

    A task folder that is broken is listed with what is wrong with it.
    """
    from cupel.cli.tasks import show_tasks

    show_tasks(as_json=as_json)
