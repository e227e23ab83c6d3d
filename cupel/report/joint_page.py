"""The report of a run of several tasks: what the records of each say, then how each was made; a page a task has its documents.

No script stands in it, and nothing is fetched: its bars lead nowhere, its links to the pages beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from cupel._format import count, seconds, share, status_words, usd
from cupel.errors import OutputPathError
from cupel.files import make_folder, write_whole
from cupel.report.bars import status_bar
from cupel.report.data import still_figure
from cupel.report.markup import Child, Safe, policy, tag
from cupel.report.page import TaskPage, asset
from cupel.report.summary import STATUSES, RunSummary, percentile

MOST_FIGURES = 4
"""Of each task; its own page has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSection:
    """What a page of several tasks says of one: its run, and its own page."""

    run: RunSummary
    page: TaskPage


def write_joint_report(path: Path, whole: RunSummary, sections: Sequence[TaskSection]) -> Path:
    """Write the page of a run of several tasks beside the pages of its tasks; an earlier one is replaced.

    Raises:
        OutputPathError: If it cannot be written there.
    """
    try:
        make_folder(path.parent)
        write_whole(path, _page(whole, sections).encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise OutputPathError(f"{path}: the report could not be written: {error.strerror or error}") from None
    return path


def _page(whole: RunSummary, sections: Sequence[TaskSection]) -> str:
    style = asset("report.css")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy(style)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"Cupel: {whole.task}"),
        Safe(f"<style>{style}</style>"),
    )
    body = [_top(whole), *(_data(section) for section in sections), _machine(whole, sections)]
    return f'<!doctype html>\n<html lang="en">\n{head}\n<body>\n{"".join(body)}\n</body>\n</html>\n'


def _top(whole: RunSummary) -> Safe:
    started = whole.started_at.astimezone(UTC).strftime("%-d %B %Y, %H:%M UTC")
    facts = [("run", whole.run_id), ("started", started), *whole.models.items()]
    facts += [("output", whole.output)] if whole.output else []
    return tag(
        "header",
        tag("h1", tag("span", "Cupel", class_="brand"), " ", whole.task.replace(",", ", ")),
        tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts], class_="facts"),
        tag("div", [tag("p", note, class_="note") for note in whole.notes], class_="notes"),
        class_="top",
    )


def _data(section: TaskSection) -> Safe:
    figures = section.page.figures[:MOST_FIGURES]
    left = len(section.page.figures) - len(figures)
    more = f"every document, and {count(left)} more figures" if left else "every document"
    return tag(
        "section",
        tag("h2", section.run.task, " ", tag("small", tag("a", more, href=section.page.path.name))),
        tag("div", [still_figure(figure) for figure in figures], class_="figures")
        if figures
        else tag("p", "no record to draw", class_="note"),
        class_="data",
    )


def _machine(whole: RunSummary, sections: Sequence[TaskSection]) -> Safe:
    heads = (
        "task",
        *map(status_words, STATUSES),
        "share accepted",
        "not reached",
        "cost of its rows",
        "latency",
    )
    rows = [_row(section) for section in sections]
    body = [tag("tr", tag("th", row[0], scope="row"), [tag("td", cell) for cell in row[1:]]) for row in rows]
    table = tag(
        "table",
        tag("thead", tag("tr", [tag("th", name, scope="col") for name in heads])),
        tag("tbody", body),
    )
    paid = [
        (usd(whole.cost_usd_total), "paid by the run", "over all its invocations and tasks"),
        (count(sum(whole.calls.values())), "calls sent", f"by {whole.scope}"),
        (seconds(whole.wall_s), "wall time", f"of {whole.scope}"),
    ]
    return tag(
        "main",
        tag("h2", "How it was made"),
        tag("section", [_tile(*each) for each in paid], class_="tiles"),
        tag("section", list(_bars(sections))),
        tag(
            "section", tag("figure", tag("div", table, class_="scroll"), class_="wide tally"), class_="tables"
        ),
        id="machine",
    )


def _tile(value: str, name: str, detail: str) -> Safe:
    return tag("div", tag("b", value), tag("span", name), tag("small", detail), class_="tile")


def _bars(sections: Sequence[TaskSection]) -> Iterator[Safe]:
    for section in sections:
        yield tag("figure", tag("figcaption", section.run.task), status_bar(section.run.statuses))


def _row(section: TaskSection) -> Sequence[Child]:
    run, totals = section.run, section.page.totals
    roles = totals.usage.roles.values()
    cost = usd(sum(role.cost_usd for role in roles))
    unpriced = sum(role.unpriced for role in roles)
    return (
        tag("a", run.task, href=section.page.path.name),
        *(count(run.statuses.get(name, 0)) for name in STATUSES),
        share(run.statuses.get("accepted", 0), run.documents),
        count(run.statuses.get("pending", 0)),
        f"{cost} + {count(unpriced)} of unknown price" if unpriced else cost,
        seconds(percentile(totals.latencies, 0.5)),
    )
