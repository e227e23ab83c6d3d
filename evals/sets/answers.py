"""Records as answers to a gold set: spans, labels, sentences, relations, keyphrases, pairs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cupel.metrics import SpanLabels, labelled_spans
from cupel.state import Outcome, Record

Answer = dict[str, Any]
"""What `cupel.metrics.evaluate` compares with the gold of one document, besides its id."""

Document = Mapping[str, Any]
"""`{"id", "text", "meta", "gold"}`, as a data set has it."""


Answerer = Callable[[Outcome, Document], Answer]
"""What makes an answer of an outcome."""


def record_of(outcome: Outcome) -> Record:
    """The record, empty where there is none."""
    return outcome["record"] or {}


def spans(item: str = "", names: Mapping[str, str] | None = None) -> Answerer:
    """An answerer: every quote of a record as a span.

    Args:
        item: Field of an item that holds its label; empty where the list it is in is its label.
        names: Our labels, or lists, in the words of the gold; the others keep theirs.
    """
    labels = SpanLabels(item=item, names=names or {})

    def answer(outcome: Outcome, _: Document) -> Answer:
        return {"spans": list(labelled_spans(outcome, labels))}

    return answer


def known_spans(item: str, names: Mapping[str, str], quote: str) -> Answerer:
    """As `spans`, of the field `quote` alone, and without items whose label the gold has no name for."""
    read = spans(item, names)

    def answer(outcome: Outcome, document: Document) -> Answer:
        own = [each for each in outcome["evidence"] if each["path"].rsplit("/", 1)[-1] == quote]
        found = read({**outcome, "evidence": own}, document)["spans"]
        return {"spans": [each for each in found if each["label"] in set(names.values())]}

    return answer


def marked(label: str, quote: str = "quote") -> Answerer:
    """An answerer: every quote marks its sentences with one and the same label."""

    def answer(outcome: Outcome, _: Document) -> Answer:
        places = _places(outcome).items()
        return {"spans": [{**place, "label": label} for path, place in places if path.endswith(f"/{quote}")]}

    return answer


def _first(text: str, place: Mapping[str, Any]) -> dict[str, Any]:
    """A found name at its first mention, as `ends_by_text` has the gold."""
    if "start" not in place:
        return dict(place)
    name = text[place["start"] : place["end"]]
    return {"text": name, "start": text.find(name), "end": text.find(name) + len(name)}


def _places(outcome: Outcome) -> dict[str, dict[str, Any]]:
    """Where every quote stands, by the path of its field; without offsets where it was not found."""
    return {
        each["path"]: {"text": each["quote"]}
        | ({} if each["start"] is None else {"start": each["start"], "end": each["end"]})
        for each in outcome["evidence"]
    }


def field(name: str, called: str) -> Answerer:
    """An answerer: one field of the record, under the name the gold has for it."""

    def answer(outcome: Outcome, _: Document) -> Answer:
        return {called: record_of(outcome).get(name)}

    return answer


def each(items: str, name: str, called: str, otherwise: str = "") -> Answerer:
    """An answerer: one field of every item of a list, each value once.

    Args:
        items: The list.
        name: The field.
        called: What the gold calls the list.
        otherwise: The value of an empty list, where that is one.
    """

    def answer(outcome: Outcome, _: Document) -> Answer:
        record = record_of(outcome)
        found = list(dict.fromkeys(item[name] for item in record.get(items) or []))
        return {called: found or ([otherwise] if otherwise and record else [])}

    return answer


def listed_relations(types: Mapping[str, str], relations: Mapping[str, str]) -> Answerer:
    """An answerer: entities with ids, and relations between them; a relation the gold has no name for is left out.

    Args:
        types: Types of entities in the words of the gold.
        relations: Relations in the words of the gold.
    """

    def answer(outcome: Outcome, document: Document) -> Answer:
        record, places = record_of(outcome), _places(outcome)
        entities = record.get("entities") or []
        named = [
            (
                entity["id"],
                _first(document["text"], places.get(f"/entities/{at}/quote", {}))
                | {"label": types[entity["type"]]},
            )
            for at, entity in enumerate(entities)
        ]
        found = [
            {"head": item["head"], "tail": item["tail"], "label": relations[item["relation"]]}
            for item in record.get("relations") or []
            if item["relation"] in relations
        ]
        return _one_id_a_span(named, found)

    return answer


def flat_relations(outcome: Outcome, document: Document) -> Answer:
    """Relations of which each names and types both its ends: as the plain sentence asks for them."""
    places = _places(outcome)
    named: list[tuple[Any, dict[str, Any]]] = []
    found = []
    for at, item in enumerate(record_of(outcome).get("relations") or []):
        for end in ("head", "tail"):
            place = _first(document["text"], places.get(f"/relations/{at}/{end}", {}))
            named.append(((at, end), place | {"label": item[f"{end}_type"]}))
        found.append({"head": (at, "head"), "tail": (at, "tail"), "label": item["relation"]})
    return _one_id_a_span(named, found)


def _one_id_a_span(named: list[tuple[Any, dict[str, Any]]], relations: list[dict[str, Any]]) -> Answer:
    """A span that is named twice gets one id, or what refers to the second would dangle."""
    same: dict[tuple[Any, ...], str] = {}
    ids = {name: same.setdefault(tuple(sorted(span.items())), f"e{len(same)}") for name, span in named}
    spans = {ids[name]: {**span, "id": ids[name]} for name, span in named}
    ends = [{**one, "head": ids.get(one["head"]), "tail": ids.get(one["tail"])} for one in relations]
    return {"spans": list(spans.values()), "relations": ends}


def numbered(items: str, name: str, called: str, count: int, otherwise: str) -> Answerer:
    """An answerer: a label for each of so many numbered things, `otherwise` where none is given."""

    def answer(outcome: Outcome, _: Document) -> Answer:
        said = {item["number"]: item[name] for item in record_of(outcome).get(items) or []}
        return {called: [said.get(number, otherwise) for number in range(1, count + 1)]}

    return answer


def held_against_claim(outcome: Outcome, document: Document) -> Answer:
    """What `contradictions` says of a text whose first line is a claim and whose others are pieces of evidence.

    A piece in contradiction with the claim's line refutes it, whatever else is said of it; else it is what `on_claim` calls it,
    and where it is in neither list there is not enough to tell.
    """
    starts = [0, *(at + 1 for at, sign in enumerate(document["text"]) if sign == "\n")]
    places, record = _places(outcome), record_of(outcome)

    def line(path: str) -> int | None:
        return _line(starts, places.get(path, {}))

    said: dict[int, str] = {}
    for at, _ in enumerate(record.get("contradictions") or []):
        ends = {line(f"/contradictions/{at}/{end}") for end in ("first", "second")}
        said |= {each: "refutes" for each in ends if each and 0 in ends}
    for at, item in enumerate(record.get("on_claim") or []):
        if each := line(f"/on_claim/{at}/quote"):
            said.setdefault(each, {"supports": "supports", "against": "refutes"}[item["relation"]])
    return {"evidence_labels": [said.get(each, "not_enough_info") for each in range(1, len(starts))]}


def _line(starts: list[int], place: Mapping[str, Any]) -> int | None:
    """The line a quote stands in; None for one that was not found."""
    return None if "start" not in place else bisect_right(starts, place["start"]) - 1


def quoted(outcome: Outcome) -> Iterator[dict[str, Any]]:
    """Every quote of a record that was found, with its path and its offsets `[start, end)`."""
    for path, place in _places(outcome).items():
        if "start" in place:
            yield {"path": path, **place}
