"""The page around the documents' data: the data first, then totals, cost and time by tier, where documents went."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC

from cupel._format import count, seconds, share, status_words, usd
from cupel.judging import false_pass_rate
from cupel.report.bars import histogram, status_bar
from cupel.report.flow import flow_picture
from cupel.report.markup import Child, Safe, tag
from cupel.report.summary import (
    ROLES,
    STATUSES,
    Expected,
    Planned,
    PlannedTier,
    RunSummary,
    Totals,
    percentile,
)
from cupel.runlog import RoleUsage

_QUANTILES = (0.5, 0.9, 0.99)
_MATCHES = ("verbatim", "normalised", "elided", "altered", "absent")


def overview(run: RunSummary, totals: Totals, data: Safe, *, shown: int) -> Safe:
    """Return the page's content before the documents' data; `data` is what its bars show."""
    return Safe(
        "\n".join(
            [
                _top(run),
                data,
                _documents(totals, shown),
                tag(
                    "main",
                    tag("h2", "How it was made"),
                    _tiles(run, totals),
                    _statuses(run, totals),
                    _pictures(totals),
                    _tables(run, totals),
                    id="machine",
                ),
            ]
        )
    )


def _top(run: RunSummary) -> Safe:
    started = run.started_at.astimezone(UTC).strftime("%-d %B %Y, %H:%M UTC")
    facts = [
        ("run", run.run_id),
        ("started", started),
        *((role, model) for role, model in run.models.items()),
    ]
    if run.output:
        facts.append(("output", run.output))
    return tag(
        "header",
        tag("h1", tag("span", "Cupel", class_="brand"), " ", run.task),
        tag("button", "Theme", id="theme", type="button", title="Light, dark, or as the system has it"),
        tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts], class_="facts"),
        tag("div", [tag("p", note, class_="note") for note in run.notes], class_="notes")
        if run.notes
        else None,
        class_="top",
    )


def _tiles(run: RunSummary, totals: Totals) -> Safe:
    used = _used(totals)
    cost = None if used.unpriced else used.cost_usd
    each = None if cost is None or not totals.documents else cost / totals.documents
    found = f"; {usd(used.found_usd)} of it found in the run log" if used.found_calls else ""
    sent = sum(run.calls.values())
    tiles = [
        (count(run.documents), "documents", _pending(run)),
        (
            share(run.statuses.get("accepted", 0), run.documents),
            "accepted",
            f"{count(run.statuses.get('accepted', 0))} documents",
        ),
        (usd(run.cost_usd_total), "paid by the run", "over all its invocations"),
        (_cost(used), "cost of its rows", f"{usd(each)} a document{found}"),
        (seconds(run.wall_s), "wall time", f"of {run.scope}"),
        (
            seconds(percentile(totals.latencies, 0.5)),
            "latency of a document",
            f"median; p90 {seconds(percentile(totals.latencies, 0.9))}, p99 {seconds(percentile(totals.latencies, 0.99))}",
        ),
        (count(sent), "calls sent", f"by {run.scope}; {count(run.cache_hits)} answered from the run log"),
    ]
    return tag(
        "section",
        [
            tag("div", tag("b", value), tag("span", name), tag("small", detail), class_="tile")
            for value, name, detail in tiles
        ],
        class_="tiles",
    )


def _pending(run: RunSummary) -> str:
    pending = run.statuses.get("pending", 0)
    return f"{count(pending)} not reached yet" if pending else "every row has an outcome"


def _statuses(run: RunSummary, totals: Totals) -> Safe:
    shown = [*STATUSES, *sorted(set(run.statuses) - set(STATUSES))]
    legend = [
        tag(
            "li",
            tag("i", class_=f"dot back-{name}"),
            f" {status_words(name)} ",
            tag("b", count(run.statuses[name])),
        )
        for name in shown
        if run.statuses.get(name)
    ]
    quotes = sum(totals.matches.values())
    matches = [
        tag("li", tag("i", class_=f"dot match-{name}"), f" {name} ", tag("b", count(totals.matches[name])))
        for name in _MATCHES
        if totals.matches[name]
    ]
    evidence = [tag("li", f"{count(quotes)} quotes:", class_="lead"), *matches] if quotes else []
    return tag("section", status_bar(run.statuses), tag("ul", legend, evidence, class_="legend"))


def _pictures(totals: Totals) -> Safe:
    charts: list[Safe] = []
    if totals.confidence:
        charts.append(_figure("How sure: calibrated confidence", histogram(totals.confidence, "confidence")))
    if totals.score:
        note = "raw; not a probability: no calibration for this model and prompt"
        charts.append(_figure("Score", histogram(totals.score, "score"), note))
    flow = _figure("Where documents went", flow_picture(totals), "counts are steps taken, revisits included")
    return tag("section", flow, tag("div", charts, class_="charts"), class_="pictures")


def _figure(title: str, picture: Safe, note: str = "") -> Safe:
    caption = tag("figcaption", title, tag("small", note) if note else None)
    return tag("figure", caption, tag("div", picture, class_="scroll"))


def _tables(run: RunSummary, totals: Totals) -> Safe:
    tables = [_table("Calls by tier, when they were first made", _ROLE_HEADS, _role_rows(totals), "wide")]
    if totals.audits:
        tables.append(
            _table("Audits: a second judge on what the judge accepted", _AUDIT_HEADS, [_audit_row(totals)])
        )
    if run.planned is not None:
        tables.append(
            _table(
                "Planned and actual",
                ("", "planned", "its rows took", "ratio"),
                _plan_rows(run, run.planned, _used(totals)),
            )
        )
        if run.planned.tiers:
            by_tier = _tier_rows(run.planned.tiers, totals)
            tables.append(_table("Planned (95 %) and actual, by tier", _TIER_HEADS, by_tier, "wide"))
    if run.calls:
        rows = [
            (model, count(calls), usd(run.cost_usd.get(model))) for model, calls in sorted(run.calls.items())
        ]
        title = f"Calls sent by {run.scope}, by model"
        tables.append(_table(title, ("model", "calls", "cost"), rows))
    return tag("section", tables, class_="tables")


_AUDIT_HEADS = ("", "audited", "rejected", "not decided", "false-pass rate", "95 % interval")


def _audit_row(totals: Totals) -> Sequence[Child]:
    """The rate as the second judge sees it: its own mistakes are in it."""
    audits = false_pass_rate(list(totals.audits.elements()))
    rate = "–" if audits.rate is None else f"{100 * audits.rate:.1f} %"
    low, high = audits.interval
    return (
        "as the second judge sees it", count(audits.audited), count(totals.audits["rejected"]), count(audits.unknown), rate,
        f"{100 * low:.1f} to {100 * high:.1f} %",
    )  # fmt: skip


_ROLE_HEADS = (
    "tier", "model", "calls", "tokens in", "cached", "tokens out", "cost", "p50", "p90", "p99",
)  # fmt: skip


def _role_rows(totals: Totals) -> Iterator[Sequence[Child]]:
    for role in [*ROLES, *sorted(set(totals.roles) - set(ROLES))]:
        if (role_totals := totals.roles.get(role)) is not None:
            models = [tag("div", name) for name, _ in role_totals.models.most_common()]
            yield (
                role,
                models,
                count(round(role_totals.calls)),
                count(role_totals.input_tokens),
                share(role_totals.cached_tokens, role_totals.input_tokens),
                count(role_totals.output_tokens),
                _cost(role_totals),
                *(seconds(percentile(role_totals.latencies, part)) for part in _QUANTILES),
            )


def _cost(role_totals: RoleUsage) -> str:
    if not role_totals.unpriced:
        return usd(role_totals.cost_usd)
    return (
        f"{usd(role_totals.cost_usd)} + {count(role_totals.unpriced)} of unknown price"
        if role_totals.cost_usd
        else "unknown"
    )


def _used(totals: Totals) -> RoleUsage:
    """What all roles took together."""
    roles = totals.usage.roles.values()
    return RoleUsage(
        calls=sum(role.calls for role in roles),
        cost_usd=sum(role.cost_usd for role in roles),
        unpriced=sum(role.unpriced for role in roles),
        found_calls=sum(role.found_calls for role in roles),
        found_usd=sum(role.found_usd for role in roles),
    )


def _plan_rows(run: RunSummary, planned: Planned, used: RoleUsage) -> Iterator[Sequence[Child]]:
    if planned.cost_usd is not None:
        cost = None if used.unpriced else used.cost_usd
        yield "cost", usd(planned.cost_usd), _cost(used), _ratio(cost, planned.cost_usd)
    if planned.wall_s is not None:
        yield "wall time", seconds(planned.wall_s), seconds(run.wall_s), _ratio(run.wall_s, planned.wall_s)
    if planned.calls is not None:
        calls = round(used.calls)
        yield "calls", count(planned.calls), count(calls), _ratio(calls, planned.calls)


_TIER_HEADS = ("tier", "calls", "actual", "tokens in", "actual", "tokens out", "actual", "cost", "actual")


def _tier_rows(tiers: Sequence[PlannedTier], totals: Totals) -> Iterator[Sequence[Child]]:
    for tier in tiers:
        used = totals.usage.roles.get(tier.role, RoleUsage())
        yield (
            tier.role,
            _expect(tier.calls),
            count(round(used.calls)),
            _expect(tier.input_tokens),
            count(used.input_tokens),
            _expect(tier.output_tokens),
            count(used.output_tokens),
            "unknown" if tier.cost_usd is None else _expected_usd(tier.cost_usd),
            "unknown" if used.unpriced else usd(used.cost_usd),
        )


def _expect(expected: Expected) -> str:
    return f"{count(round(expected.value))} ({count(round(expected.low))}–{count(round(expected.high))})"


def _expected_usd(expected: Expected) -> str:
    return f"{usd(expected.value)} ({usd(expected.low)}–{usd(expected.high)})"


def _ratio(actual: float | None, planned: float) -> str:
    return "–" if actual is None or not planned else f"{actual / planned:.2f}"


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[Child]], class_: str = "") -> Safe:
    body = [tag("tr", tag("th", row[0], scope="row"), [tag("td", cell) for cell in row[1:]]) for row in rows]
    head = tag("thead", tag("tr", [tag("th", name, scope="col") for name in heads]))
    table = tag("table", head, tag("tbody", body))
    return tag("figure", tag("figcaption", title), tag("div", table, class_="scroll"), class_=class_ or None)


def _documents(totals: Totals, shown: int) -> Safe:
    title = tag("h2", "Documents ", tag("small", id="found"))
    notice = None
    if shown < totals.documents:
        words = (
            f"{count(shown)} of {count(totals.documents)} documents are in this page: those that need review or "
            f"failed before accepted ones. The whole trail of any other: cupel show ID"
        )
        notice = tag("p", words, class_="note")
    chips = [("", "all", totals.documents)]
    chips += [(name, status_words(name), totals.statuses[name]) for name in STATUSES if totals.statuses[name]]
    buttons = [
        tag(
            "button",
            label,
            " ",
            tag("b", count(number)),
            type="button",
            data_status=name,
            aria_pressed="false",
        )
        for name, label, number in chips
    ]
    tools = tag(
        "div",
        tag("div", buttons, class_="chips", role="group", aria_label="Status"),
        _select("path", "Which documents", _PATHS),
        _select("order", "Order", _ORDERS),
        tag(
            "input", id="search", type="search", placeholder="Search ids, texts, records", aria_label="Search"
        ),
        class_="tools",
    )
    choices = tag(
        "details", tag("summary", "Choose by column"), tag("div", id="choices"), class_="choices", hidden=""
    )
    table = tag(
        "div",
        tag("table", tag("thead", id="heads"), tag("tbody", id="list"), class_="rows"),
        class_="scroll",
        id="table",
    )
    detail = tag("article", id="detail", tabindex="-1", hidden="")
    script_off = tag(
        "noscript", tag("p", "The documents below need JavaScript; nothing is fetched.", class_="note")
    )
    chosen = tag("div", id="chosen", class_="chips")
    return tag(
        "section",
        title,
        notice,
        script_off,
        tools,
        choices,
        chosen,
        table,
        detail,
        tag("div", id="printed"),
        id="documents",
        class_="documents",
    )


_PATHS = (
    ("", "any path"),
    ("e", "escalated to the strong model"),
    ("r", "refined"),
    ("j", "rejected by the judge at least once"),
    ("q", "a quote altered or absent"),
    ("w", "wrong by gold"),
    ("x", "an attempt without a record"),
)
_ORDERS = (
    ("", "as in the input"),
    ("doubt", "least sure first"),
    ("cost", "most expensive first"),
    ("latency", "slowest first"),
    ("attempts", "most attempts first"),
)


def _select(name: str, label: str, options: Sequence[tuple[str, str]]) -> Safe:
    return tag(
        "select", [tag("option", text, value=value) for value, text in options], id=name, aria_label=label
    )
