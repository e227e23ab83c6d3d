"""Sets whose gold code makes of public speeches: joined speeches, planted dates, and pairs of which one answers the other.

The speeches are those of `eu_debates_2025` (European Parliament, 10–12 March 2025). Everything is drawn by one seed. What such gold
cannot say is in `README.md`: a reader who does well here has found what code hid, and no more.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from sets import answers
from sets.gold import QUOTE, SEED, GoldSet

from cupel.state import Outcome
from cupel.task import object_schema

Speech = Mapping[str, Any]
Made = dict[str, Any]

SOURCE = "eu_debates_2025"
ADDRESS = re.compile(
    r"(?:(?:Mr|Madam|Mrs|Ms|Dear|Honourable|Ladies and|Thank you|Members|Colleagues|Commissioner|Minister)[^.!?,\n]{0,80}, )+",
    re.IGNORECASE,
)
"""How a speech begins that everybody knows for a beginning: taken off, or where it starts would be no question."""


# ---- sections: several speeches as one text


def join_speeches(speeches: Sequence[Speech]) -> list[Made]:
    """Texts of three to five speeches of as many debates, one after the other; a cut where each begins."""
    drawing = random.Random(SEED)
    fit = [each for each in speeches if 500 <= len(each["text"]) <= 1_100 and _is_plain(each)]
    drawing.shuffle(fit)
    return list(_joined(fit, drawing))


def _is_plain(speech: Speech) -> bool:
    """Whether a speech is no question or answer between two speakers, which would be part of one thing."""
    return not str(speech["meta"].get("role") or "").startswith("blue-card")


def _joined(fit: list[Speech], drawing: random.Random) -> Iterator[Made]:
    number = 0
    while fit:
        chosen = _of_other_debates(fit, drawing.randint(3, 5))
        if chosen is None:
            return
        parts = [_without_address(each["text"]) for each in chosen]
        starts = [len("\n".join(parts[:at])) + 1 for at in range(1, len(parts))]
        yield {
            "id": f"joined-{number}",
            "text": "\n".join(parts),
            "meta": {"of": [each["id"] for each in chosen]},
            "gold": {"boundaries": starts},
        }
        number += 1


def _of_other_debates(fit: list[Speech], count: int) -> list[Speech] | None:
    """So many speeches, each of a debate of its own, taken out of `fit`; None where there are none left."""
    chosen: dict[str, Speech] = {}
    for each in fit:
        if len(chosen) < count:
            chosen.setdefault(each["meta"]["debate_title"], each)
    if len(chosen) < count:
        return None
    fit[:] = [each for each in fit if each not in chosen.values()]
    return list(chosen.values())


def _without_address(text: str) -> str:
    address = ADDRESS.match(text)
    rest = text[address.end() :] if address else text
    return rest[:1].upper() + rest[1:]


def cuts(outcome: Outcome, _: answers.Document) -> answers.Answer:
    """Where sections begin that open another subject: the coarser outline."""
    sections = answers.record_of(outcome).get("sections") or []
    places = {each["path"]: each["start"] for each in answers.quoted(outcome)}
    starts = [
        places.get(f"/sections/{at}/begins")
        for at, section in enumerate(sections)
        if section["opens"] == "subject"
    ]
    return {"boundaries": [start for start in starts if start is not None]}


def plain_cuts(outcome: Outcome, _: answers.Document) -> answers.Answer:
    """Where the plain sentence's sections begin."""
    return {"boundaries": [each["start"] for each in answers.quoted(outcome)]}


def cut_equally(document: answers.Document) -> answers.Answer:
    """Four parts of as many words: as many as such a text has on the average."""
    words = [match.start() for match in re.finditer(r"\S+", document["text"])]
    return {"boundaries": [words[len(words) * part // 4] for part in (1, 2, 3)]}


def cut_at_paragraphs(document: answers.Document) -> answers.Answer:
    """A cut at every end of a line."""
    return {"boundaries": [match.end() for match in re.finditer(r"\n+", document["text"])]}


# ---- timeline: dates told in speeches, which know nothing of them


MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
EVENTS = (
    "the ferry to the outer islands was closed for good",
    "the old mill at the canal burned down to its walls",
    "a school for divers opened in the harbour town",
    "the bakers of my valley founded their first cooperative",
    "the bridge at the mouth of the river was raised by two metres",
    "the last typewriter works in the north sold its machines",
    "the choir of the railway workers sang for the first time",
    "the beekeepers of the plain counted their swarms",
    "the observatory on the hill got a second dome",
    "the night train to the coast ran empty",
    "the glass museum moved into the customs house",
    "the shepherds signed their pact on the high pastures",
    "the lighthouse was painted white and red",
    "the clockmakers' guild took in two women",
    "the salt works turned off their last pump",
)
RELATIVE: Sequence[tuple[str, Callable[[date], str]]] = (
    ("Yesterday", lambda now: _day(now - timedelta(days=1))),
    ("Three days ago", lambda now: _day(now - timedelta(days=3))),
    ("Last week", lambda now: _week(now - timedelta(weeks=1))),
    ("Two weeks ago", lambda now: _week(now - timedelta(weeks=2))),
    ("Last month", lambda now: _month(now, -1)),
    ("Two months ago", lambda now: _month(now, -2)),
    ("Last year", lambda now: str(now.year - 1)),
    ("Five years ago", lambda now: str(now.year - 5)),
)
FIRST_DAY, LAST_DAY = date(2025, 3, 13), date(2026, 10, 31)
"""The speeches are dated anew, after they were held: nothing in them contradicts it, and no two texts count alike."""


def plant_dates(speeches: Sequence[Speech]) -> list[Made]:
    """Speeches with five sentences of their own among theirs: a day, a month, a month without its year, two counted from now."""
    drawing = random.Random(SEED)
    fit = [each for each in speeches if 600 <= len(each["text"]) <= 1_300 and _is_plain(each)]
    drawing.shuffle(fit)
    days = (LAST_DAY - FIRST_DAY).days
    return [
        _planted(each, FIRST_DAY + timedelta(days=drawing.randrange(days)), number, drawing)
        for number, each in enumerate(fit)
    ]


def _planted(speech: Speech, now: date, number: int, drawing: random.Random) -> Made:
    told = list(_told(now, drawing))
    drawing.shuffle(told)
    events = drawing.sample(EVENTS, len(told))
    sentences = re.split(r"(?<=[.!?]) (?=[A-Z])", speech["text"])
    for (words, _, _), event in zip(told, events, strict=True):
        sentences.insert(drawing.randint(1, len(sentences)), f"{words} {event}.")
    text = " ".join(sentences)
    found = [
        {
            "start": (at := text.index(f"{words} {event}.")),
            "end": at + len(words),
            "said": words,
            "date": iso,
            "kind": kind,
        }
        for (words, iso, kind), event in zip(told, events, strict=True)
    ]
    found.sort(key=lambda one: one["start"])
    return {
        "id": f"dated-{number}",
        "text": text,
        "meta": {"date": now.isoformat(), "of": speech["id"], "planted": found},
        "gold": {"evidence_labels": [one["date"] for one in found]},
    }


def _told(now: date, drawing: random.Random) -> Iterator[tuple[str, str, str]]:
    """Words of time, the date they mean, and of which kind they are."""
    day = date(drawing.randint(1988, 2023), drawing.randint(1, 12), drawing.randint(1, 28))
    yield f"On {day.day} {MONTHS[day.month - 1]} {day.year}", _day(day), "day"
    year, month = drawing.randint(1988, 2023), drawing.randint(1, 12)
    yield f"In {MONTHS[month - 1]} {year}", f"{year}-{month:02}", "month"
    back = drawing.randint(2, 10)
    short = _month(now, -back)
    yield f"In {MONTHS[int(short[-2:]) - 1]}", short, "no year"
    for words, means in drawing.sample(RELATIVE, 2):
        yield words, means(now), "counted"


def _day(day: date) -> str:
    return day.isoformat()


def _week(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def _month(now: date, shift: int) -> str:
    """The month so many months from a day's.

    >>> _month(date(2025, 3, 10), -4)
    '2024-11'
    """
    months = now.year * 12 + now.month - 1 + shift
    return f"{months // 12}-{months % 12 + 1:02}"


def dates(outcome: Outcome, document: answers.Document) -> answers.Answer:
    """Of every planted date what the record says of the event whose time words stand there; None where it has none."""
    events = answers.record_of(outcome).get("events") or []
    places = {each["path"]: each for each in answers.quoted(outcome)}
    times = [(places.get(f"/events/{at}/when"), event["date"]) for at, event in enumerate(events)]
    said = [(place, iso) for place, iso in times if place is not None]
    return {
        "evidence_labels": [
            next((iso for place, iso in said if _meet(place, planted)), None)
            for planted in document["meta"]["planted"]
        ]
    }


def _meet(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    return one["start"] < other["end"] and other["start"] < one["end"]


def first_date(document: answers.Document) -> answers.Answer:
    """The first date by the calendar that stands in the text, for every event."""
    found = re.search(rf"(?:(\d{{1,2}}) )?({'|'.join(MONTHS)}) (\d{{4}})", document["text"])
    if found is None:
        return own_date(document)
    day, month, year = found.groups()
    iso = f"{year}-{MONTHS.index(month) + 1:02}" + (f"-{int(day):02}" if day else "")
    return {"evidence_labels": [iso] * len(document["meta"]["planted"])}


def own_date(document: answers.Document) -> answers.Answer:
    """The day of the text itself, for every event."""
    return {"evidence_labels": [document["meta"]["date"]] * len(document["meta"]["planted"])}


# ---- threads: who answers whom


def pair_up(speeches: Sequence[Speech]) -> list[Made]:
    """Questions with their answers, and as many pairs that are none: the two the other way round, or of two debates."""
    pairs = [
        (one, other)
        for one, other in pairwise(speeches)
        if one["meta"]["role"] == "blue-card question"
        and other["meta"]["role"] == "blue-card answer"
        and one["meta"]["debate_title"] == other["meta"]["debate_title"]
    ]
    drawing = random.Random(SEED)
    drawing.shuffle(pairs)
    made = [_pair(one, other, "answers") for one, other in pairs]
    half = len(pairs) // 2
    made += [_pair(other, one, "reversed") for one, other in pairs[:half]]
    made += [_pair(_of_another(one, pairs), other, "two debates") for one, other in pairs[half:]]
    drawing.shuffle(made)
    return made


def _of_another(speech: Speech, pairs: Sequence[tuple[Speech, Speech]]) -> Speech:
    """A question of another debate."""
    title = speech["meta"]["debate_title"]
    return next(one for one, _ in reversed(pairs) if one["meta"]["debate_title"] != title)


def _pair(before: Speech, text: Speech, kind: str) -> Made:
    return {
        "id": f"{kind}-{before['id']}-{text['id']}",
        "text": text["text"],
        "meta": {"previous": before["text"], "kind": kind},
        "gold": {"label": "answers" if kind == "answers" else "other"},
    }


def reply(outcome: Outcome, _: answers.Document) -> answers.Answer:
    """Whether the record says that the text answers the one before; every other reply is none of that."""
    said = answers.record_of(outcome).get("reply")
    return {"label": "answers" if said == "answers" else "other"}


def always_answers(_: answers.Document) -> answers.Answer:
    """The previous speech is what every text answers."""
    return {"label": "answers"}


SETS: Mapping[str, GoldSet] = {
    "sections": GoldSet(
        task="sections",
        kinds=("boundaries",),
        headline="boundaries.pk",
        besides=("boundaries.window_diff", "boundaries.micro_f1", "boundaries.micro_p", "boundaries.micro_r"),
        plain="The text holds several speeches. Where does each begin? Quote its first words verbatim.",
        asked={"sections": {"type": "array", "items": {"type": "string", "x-grounded": True}}},
        answer=cuts,
        plain_answer=plain_cuts,
        source=SOURCE,
        make=join_speeches,
        floors={
            "four equal parts": cut_equally,
            "every paragraph": cut_at_paragraphs,
            "no cut": lambda _: {"boundaries": []},
        },
    ),
    "timeline": GoldSet(
        task="timeline",
        kinds=("evidence_labels",),
        headline="evidence_labels.accuracy",
        plain="List every event of the text with the words that say when, and its date by ISO 8601.",
        asked={
            "events": {"type": "array", "items": object_schema({"when": QUOTE, "date": {"type": "string"}})}
        },
        answer=dates,
        plain_answer=dates,
        source=SOURCE,
        make=plant_dates,
        inputs={"date": "date"},
        floors={"first date of the text": first_date, "date of the text itself": own_date},
    ),
    "threads": GoldSet(
        task="threads",
        kinds=("label",),
        headline="label.accuracy",
        besides=("label.macro_f1",),
        plain="Does the text answer the previous one?",
        asked={"reply": {"type": "string", "enum": ["answers", "other"]}},
        answer=reply,
        plain_answer=answers.field("reply", "label"),
        source=SOURCE,
        make=pair_up,
        inputs={"previous": "previous"},
        floors={"every text answers the previous one": always_answers},
    ),
}
