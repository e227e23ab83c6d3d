"""Grounding on quotes made from real speeches: what is found, where, and at what cost.

    CUPEL_BENCH_DATA=… python benchmarks/grounding.py [--each 400] [--seed 7]

Reads `eu_debates_2025/dev.jsonl` (English) and `other_languages.jsonl` (20 languages). Quotes are cut at spaces, and
changed by code that knows nothing of how grounding works. Then the same in seven scripts with layout and markup, on
the text or on the quote, and with gaps; what time the longest texts take is `grounding_growth.py`'s. The cost is CPU time per quote in a document of 10,000
tokens made of the same speeches. Exits with 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import regex
from grounding_marks import ENDINGS, GUARDS, MARKS, NEGATED, SENTENCES, inner_span, negates

from cupel.text.grounding.grounder import Grounder, ground
from cupel.text.grounding.matches import STRENGTH, Grounding, is_grounded

Span = tuple[int, int]
NOT = {
    **dict.fromkeys(["en"], "not"), "fr": "pas", "de": "nicht", "es": "no", "it": "non", "pl": "nie", "el": "δεν",
    "nl": "niet", "ro": "nu", "pt": "não", "sv": "inte", "hr": "ne", "hu": "nem", "fi": "ei", "sk": "nie",
    "cs": "ne", "lt": "ne", "bg": "не", "lv": "nav", "sl": "ne", "da": "ikke",
    **{language: NEGATED[language] for language in SENTENCES},
}  # fmt: skip
INVENTED = (
    "the minister of {0} has promised {1} new {2} for every {3} in the {4} before {5} comes to an end",
    "nobody in {0} would ever have believed that {1} {2} could be paid for by a tax on {3} and {4}",
    "our {0} group will vote for {1} more {2} because the {3} told us so in {4} last week",
    "{0} is the only {1} where {2} are still sold to {3} without any {4} from the Commission",
)


@dataclass(frozen=True)
class Case:
    """A quote, the document it is looked up in and where it should be found; no spans where it should not."""

    kind: str
    quote: str
    text: str
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Passage:
    """Some words of a speech."""

    text: str
    language: str
    words: tuple[Span, ...]

    @property
    def span(self) -> Span:
        """From the first word to the last."""
        return self.words[0][0], self.words[-1][1]

    @property
    def quote(self) -> str:
        """The words as they stand."""
        return self.text[slice(*self.span)]


@lru_cache(maxsize=1024)
def word_spans(text: str) -> list[Span]:
    """What stands between spaces and has a letter or digit, with any marks beside it; two letters without spaces."""
    if regex.search(r"[\p{Han}\p{Thai}]", text):
        return [match.span() for match in regex.finditer(r"\d+|(?:(?=[\p{L}])\X){1,2}", text)]
    return [
        match.span()
        for match in re.finditer(r"(?:\d{1,3}(?:\s\d{3})+(?!\d)\S*|\S)+", text)
        if re.search(r"\w", match.group())
    ]


def passage(rng: random.Random, speech: dict, shortest: int, longest: int) -> Passage | None:
    """Some words of a speech, cut at spaces; a whole number of what Europe writes as `3 000`."""
    text = speech["text"]
    words = word_spans(text)
    if len(words) < shortest:
        return None
    count = rng.randint(shortest, min(longest, len(words)))
    first = rng.randrange(len(words) - count + 1)
    return Passage(text, speech["meta"]["language"], tuple(words[first : first + count]))


# ---------------------------------------------------------------- faithful quotes


def verbatim(rng: random.Random, found: Passage) -> Case:
    """As it stands, without the punctuation around it every other time."""
    start, end = found.span
    if rng.random() < 0.5:
        bare = re.search(r"\w(?:.*[\w%])?", found.quote, re.DOTALL)
        if bare is None:
            return Case("verbatim", found.quote, found.text, (found.span,))
        start, end = start + bare.start(), start + bare.end()
    return Case("verbatim", found.text[start:end], found.text, ((start, end),))


STYLES: dict[str, Callable[[random.Random, str], str]] = {
    "upper": lambda _, quote: quote.upper(),
    "lower": lambda _, quote: quote.lower(),
    "title": lambda _, quote: quote[:1].swapcase() + quote[1:],
    "straight quotes": lambda _, quote: re.sub("[“”«»„]", '"', re.sub("[‘’]", "'", quote)),
    "curly quotes": lambda _, quote: re.sub('["“”«»„]', "”", quote.replace("'", "’")),
    "dashes": lambda rng, quote: re.sub("[-‑–—]", rng.choice("-–—‑"), quote),
    "line breaks": lambda rng, quote: re.sub(
        r"\s", lambda _: rng.choice(["\n", " ", "  ", "\r\n", "\t"]), quote
    ),
    "no-break spaces": lambda rng, quote: re.sub(r"\s", lambda _: rng.choice("\u00a0\u202f "), quote),
    "decomposed": lambda _, quote: unicodedata.normalize("NFD", quote),
    "ligatures": lambda _, quote: quote.replace("fi", "ﬁ").replace("fl", "ﬂ").replace("ff", "ﬀ"),
    "soft hyphens": lambda _, quote: re.sub(r"(?<=[^\W\d]{3})(?=[^\W\d]{4})", "\u00ad", quote),
    "zero width": lambda rng, quote: re.sub(r" ", lambda _: rng.choice([" ", " \u200b", "\u200c "]), quote),
    "quoted": lambda rng, quote: rng.choice(['"{}"', "“{}”", "'{}'", "{}.", "- {}", "...{}..."]).format(
        quote
    ),
    "full stop": lambda rng, quote: quote.rstrip(".,;:!?…") + rng.choice(["", ".", "!", ","]),
    "full width": lambda _, quote: quote.translate(
        {ord(char): ord(char) + 0xFEE0 for char in "()!?:;abcdef"}
    ),
}


def normalised(rng: random.Random, found: Passage) -> Case | None:
    """The same words in one to three other styles."""
    quote = found.quote
    for style in rng.sample(sorted(STYLES), rng.randint(1, 3)):
        quote = STYLES[style](rng, quote)
    if quote in found.text:
        return None
    return Case("normalised", quote, found.text, (found.span,))


def elided(rng: random.Random, found: Passage) -> Case | None:
    """Beginning and end of a passage, the gap marked; ends of four words or more."""
    case = _elide(rng, found, "elided")
    return case if case and not _hides(case, found.language) else None


def concealed(rng: random.Random, found: Passage) -> Case | None:
    """The same where the gap takes a negation out of a sentence that is quoted in part."""
    case = _elide(rng, found, "not left out")
    return case if case and _hides(case, found.language) else None


def _elide(rng: random.Random, found: Passage, kind: str) -> Case | None:
    count = len(found.words)
    first = rng.randint(4, count - 8)
    second = rng.randint(first + 4, count - 4)
    head, tail = (found.words[0][0], found.words[first - 1][1]), (found.words[second][0], found.words[-1][1])
    gap = rng.choice(["...", " ... ", "… ", " … ", " [...] ", " (...) ", " […] ", " (…) "])
    quote = found.text[slice(*head)] + gap + found.text[slice(*tail)]
    return None if quote in found.text else Case(kind, quote, found.text, (head, tail))


def _hides(case: Case, language: str) -> bool:
    """Whether a negation is left out of the sentence of either end."""
    (_, start), (end, _) = case.spans
    gap = case.text[start:end]
    # what ends the first part may be its last character
    ends = [
        match.span() for match in ENDINGS.finditer(case.text, max(0, start - 2), end) if match.end() >= start
    ]
    if not ends:
        return negates(gap, language)
    return negates(case.text[start : max(start, ends[0][0])], language) or negates(
        case.text[max(start, ends[-1][1]) : end], language
    )


# ---------------------------------------------------------------- unfaithful ones


def negated(rng: random.Random, found: Passage) -> Case | None:
    """A "not" put in."""
    return _edited("not inserted", found, rng.randrange(1, len(found.words)), insert=NOT[found.language])


def affirmed(rng: random.Random, found: Passage) -> Case | None:
    """A "not" left out, from inside the quote."""
    inside = [
        place
        for place, word in enumerate(found.words[1:-1], 1)
        if found.text[slice(*word)].lower() == NOT[found.language]
    ]
    return _edited("not dropped", found, rng.choice(inside), insert="", drop=1) if inside else None


def contracted(rng: random.Random, found: Passage) -> Case | None:
    """An "n't" left out: "can" for "can't"."""
    del rng
    quote = re.sub(r"\bcan[’']t\b|\bcannot\b", "can", found.quote, count=1)
    quote = quote if quote != found.quote else re.sub(r"n[’']t\b", "", quote, count=1)
    return _unfaithful("n't dropped", quote, found)


def hidden(rng: random.Random, found: Passage) -> Case | None:
    """A "not" left out behind a mark for a gap."""
    words = [found.text[slice(*word)] for word in found.words]
    inside = [place for place in range(4, len(words) - 4) if words[place].lower() == NOT[found.language]]
    if not inside:
        return None
    words[rng.choice(inside)] = rng.choice(["...", "…", "[...]"])
    return _unfaithful("not elided", " ".join(words), found)


def scattered(rng: random.Random, found: Passage) -> Case | None:
    """One or two words here and one or two there."""
    words = [word for word in found.words if re.fullmatch(r"\w+", found.text[slice(*word)])]
    if len(words) < 6:
        return None
    first = rng.randrange(len(words) - 4)
    second = rng.randrange(first + 2, len(words) - 2)
    ends = [(place, place + rng.randrange(2)) for place in (first, second)]
    parts = [found.text[words[low][0] : words[high][1]] for low, high in ends]
    if any(len(re.findall(r"\w+", part)) > 2 for part in parts):
        return None
    return _nowhere("tiny parts", rng.choice([" ... ", "… ", " [...] "]).join(parts), found)


def renumbered(rng: random.Random, found: Passage) -> Case | None:
    """A number changed: another digit, a digit less, another power of ten, a sign."""
    numbers = list(re.finditer(r"\d+(?:[.,\s]\d+)*", found.quote))
    if not numbers:
        return None
    number = rng.choice(numbers)
    old = number.group()
    place = rng.choice([place for place, char in enumerate(old) if char.isdigit()])
    digit = rng.choice([char for char in "123456789" if char != old[place]])
    changed = [old[:place] + digit + old[place + 1 :], old + "0", f"-{old}", re.sub(r"[.,\s]", "", old)]
    new = rng.choice([*changed, old[:-1]] if len(old) > 1 else changed[:3])
    return _unfaithful(
        "number changed", found.quote[: number.start()] + new + found.quote[number.end() :], found
    )


def reworded(rng: random.Random, found: Passage) -> Case | None:
    """One word replaced by another of the same speech."""
    other = rng.choice(re.findall(r"\b[^\W\d]{4,}\b", found.text))
    return _edited("word replaced", found, rng.randrange(1, len(found.words) - 1), insert=other, drop=1)


def _edited(kind: str, found: Passage, place: int, *, insert: str, drop: int = 0) -> Case | None:
    words = [found.text[slice(*word)] for word in found.words]
    return _unfaithful(kind, " ".join([*words[:place], *insert.split(), *words[place + drop :]]), found)


def _unfaithful(kind: str, quote: str, found: Passage) -> Case | None:
    def plain(string: str) -> str:
        return re.sub(r"\s+", " ", string).lower()

    return (
        None
        if not quote or plain(quote) in plain(found.text)
        else Case(kind, quote, found.text, (found.span,))
    )


def invented(rng: random.Random, found: Passage, elsewhere: Passage) -> Case | None:
    """A sentence of another speech, or one from a template filled with this speech's own words."""
    if rng.random() < 0.5:
        return _nowhere("invented", elsewhere.quote, found)
    words = re.findall(r"\b[^\W\d]{4,}\b", found.text)
    sentence = rng.choice(INVENTED).format(*rng.choices(words, k=6))
    return _nowhere("invented", sentence, found)


def foreign(rng: random.Random, found: Passage, elsewhere: Passage) -> Case | None:
    """Three words that are there and a text that is not, with and without a mark between them."""
    count = len(found.words)
    first = rng.randrange(count - 3)
    real = found.text[found.words[first][0] : found.words[first + 2][1]]
    joint = rng.choice([" ", " ", ", ", " … ", "... ", " [...] "])
    return _nowhere("foreign", real + joint + elsewhere.quote, found)


def _nowhere(kind: str, quote: str, found: Passage) -> Case | None:
    return None if quote in found.text else Case(kind, quote, found.text)


# ---------------------------------------------------------------- layout and markup


def marked(name: str, *, is_quote: bool) -> Callable[[random.Random, Passage], Case | None]:
    """A maker of quotes where one side has this layout or markup and the other has not."""

    def make(rng: random.Random, found: Passage) -> Case | None:
        written = MARKS[name](rng, found.quote)
        if written == found.quote:
            return None
        start, end = found.span
        if is_quote:
            return Case(name, written, found.text, (found.span,))
        text = found.text[:start] + written + found.text[end:]
        first, stop = inner_span(written)
        return Case(name, found.quote, text, ((start + first, start + stop),))

    return make


def changed(rng: random.Random, found: Passage) -> Case | None:
    """A negation or number changed, and layout or markup on the text or the quote besides."""
    case = rng.choice([negated, affirmed, renumbered])(rng, found)
    if case is None:
        return None
    mark = MARKS[rng.choice(sorted(MARKS))]
    start, end = found.span
    if rng.random() < 0.5:
        return Case("changed and marked", mark(rng, case.quote), case.text)
    text = found.text[:start] + mark(rng, found.quote) + found.text[end:]
    return Case("changed and marked", case.quote, text)


def guarded(rng: random.Random, found: Passage) -> Case | None:
    """Marks that may not be passed over, between the words of a passage."""
    place = rng.randrange(1, len(found.words))
    (start, end), middle = found.span, found.words[place][0]
    written, quoted = rng.choice(GUARDS)
    head, tail = found.text[start:middle].rstrip(), found.text[middle:end]
    text = f"{found.text[:start]}{head} {written} {tail}{found.text[end:]}"
    quote = f"{head} {quoted} {tail}" if quoted else f"{head} {tail}"
    return None if quote in text else Case("guard", quote, text)


SCRIPTS = {
    "Latin": "", "Cyrillic": "bg", "Greek": "el", "Arabic": "ar", "Hebrew": "he", "Devanagari": "hi", "Thai": "th",
    "Chinese": "zh",
}  # fmt: skip
MARKED_KINDS: dict[str, tuple[Callable[..., Case | None], int, int]] = {
    **{f"{name}, text": (marked(name, is_quote=False), 4, 30) for name in MARKS},
    **{f"{name}, quote": (marked(name, is_quote=True), 4, 30) for name in MARKS},
    "elided": (elided, 14, 60),
    "not left out": (concealed, 14, 60),
    "changed and marked": (changed, 4, 30),
    "guard": (guarded, 4, 30),
}
UNFAITHFUL = ("not left out", "changed and marked", "guard")


def speeches_of(script: str, english: Sequence[dict], other: Sequence[dict]) -> list[dict]:
    """Texts in a script: of the data set, or our own sentences in any order."""
    language = SCRIPTS[script]
    if not language:
        return [*english, *(speech for speech in other if speech["meta"]["language"] not in ("bg", "el"))]
    if language not in SENTENCES:
        return [speech for speech in other if speech["meta"]["language"] == language]
    sentences = regex.findall(r"\S.*?(?:[.।。]|$)", re.sub(r"\n\s+", " ", SENTENCES[language]))
    rng = random.Random(language)
    joint = "" if language == "zh" else " "
    return [
        {"text": joint.join(rng.sample(sentences, len(sentences))), "meta": {"language": language}}
        for _ in range(60)
    ]


def compare_scripts(english: Sequence[dict], other: Sequence[dict], each: int, seed: int) -> list[str]:
    """Print, for each script and kind, how many faithful quotes are found and how many others pass; return misses."""
    print(
        f"\nLayout, markup and gaps: found at their place, and unfaithful ones better than altered\n{'':28}",
        end="",
    )
    print("".join(f"{script:>12}" for script in SCRIPTS))
    found: Counter[str] = Counter()
    count: Counter[str] = Counter()
    passed = 0
    for kind, recipe in MARKED_KINDS.items():
        cells = []
        for script in SCRIPTS:
            quotes = cases(kind, speeches_of(script, english, other), (), each, seed, recipe=recipe)
            matches = [ground(case.quote, case.text) for case in quotes]
            if kind in UNFAITHFUL:
                wrong = sum(STRENGTH[match.match] > STRENGTH["altered"] for match in matches)
                passed += wrong
                cells.append(f"{wrong} of {len(quotes)}" if quotes else "–")
                continue
            wanted = ("elided",) if kind == "elided" else ("normalised", "verbatim")
            right = sum(
                match.match in wanted and is_at(case, match)
                for case, match in zip(quotes, matches, strict=True)
            )
            found[script] += right
            count[script] += len(quotes)
            cells.append(f"{right / len(quotes):.1%}" if quotes else "–")
        print(f"{kind:28}{''.join(f'{cell:>12}' for cell in cells)}", flush=True)
    shares = {script: found[script] / count[script] for script in SCRIPTS}
    print(f"{'all faithful':28}{''.join(f'{share:>12.1%}' for share in shares.values())}")
    missed = [f"{script}: faithful quotes found >= 98 %" for script, share in shares.items() if share < 0.98]
    return missed + (["unfaithful quotes better than altered: 0"] if passed else [])


FAITHFUL = ("verbatim", "normalised", "elided")
ELSEWHERE = ("invented", "foreign")
KINDS: dict[str, tuple[Callable[..., Case | None], int, int]] = {
    "short": (verbatim, 1, 3),
    "verbatim": (verbatim, 4, 45),
    "normalised": (normalised, 2, 45),
    "elided": (elided, 14, 90),
    "not inserted": (negated, 4, 45),
    "not dropped": (affirmed, 4, 45),
    "n't dropped": (contracted, 4, 45),
    "not elided": (hidden, 9, 60),
    "not left out": (concealed, 14, 90),
    "number changed": (renumbered, 4, 45),
    "word replaced": (reworded, 4, 45),
    "invented": (invented, 4, 45),
    "foreign": (foreign, 6, 30),
    "tiny parts": (scattered, 12, 60),
}


def cases(
    kind: str,
    speeches: Sequence[dict],
    others: Sequence[dict],
    each: int,
    seed: int,
    *,
    recipe: tuple[Callable[..., Case | None], int, int] | None = None,
) -> list[Case]:
    """That many cases of one kind, or as many as 60 tries for each give."""
    make, shortest, longest = recipe or KINDS[kind]
    rng = random.Random(f"{seed} {kind}")
    made: list[Case] = []
    for _ in range(60 * each):
        found = passage(rng, rng.choice(speeches), shortest, longest)
        elsewhere = passage(rng, rng.choice(others), shortest, longest) if kind in ELSEWHERE else None
        if found is None or (kind in ELSEWHERE and elsewhere is None):
            continue
        case = make(rng, found, elsewhere) if elsewhere else make(rng, found)
        if case is not None:
            made.append(case)
        if len(made) == each:
            break
    return made


# ---------------------------------------------------------------- measuring


def iou(first: Span, second: Span) -> float:
    """Intersection over union of two spans."""
    shared = min(first[1], second[1]) - max(first[0], second[0])
    return max(0, shared) / (max(first[1], second[1]) - min(first[0], second[0]))


def is_at(case: Case, found: Grounding) -> bool:
    """Whether every part was found where the quote was cut, or where the same words stand once more."""
    if len(found.parts) != len(case.spans):
        return False
    return all(
        iou(part, span) > 0.8 or _bare(case.text[slice(*part)]) == _bare(case.text[slice(*span)])
        for part, span in zip(found.parts, case.spans, strict=True)
    )


def _bare(words: str) -> str:
    return re.sub(r"\W+", " ", words).strip().lower()


@dataclass
class Row:
    """How the quotes of one kind were matched."""

    kind: str
    count: int
    matches: Counter[str]
    right_place: int

    def share(self, *matches: str) -> float:
        """How many of the quotes have one of these matches, in [0, 1]."""
        return sum(self.matches[match] for match in matches) / self.count

    def __str__(self) -> str:
        shares = "".join(f"{self.share(match):11.1%}" for match in reversed(STRENGTH))
        return f"{self.kind:16}{self.count:6}{shares}{self.right_place / self.count:13.1%}"


def measure(kind: str, quotes: Sequence[Case]) -> Row:
    """Ground every quote; the quote of a verbatim match must be what stands at its offsets."""
    matches: Counter[str] = Counter()
    right = 0
    for case in quotes:
        found = ground(case.quote, case.text)
        if found.match == "verbatim" and case.text[found.start : found.end] != case.quote:
            raise SystemExit(f"verbatim, but not at its offsets: {case.quote!r}")
        matches[found.match] += 1
        right += is_at(case, found) and (case.kind not in FAITHFUL or found.match != "altered")
    return Row(kind, len(quotes), matches, right)


def misses(row: Row) -> list[str]:
    """The bars this row does not reach."""
    if row.kind in ("short", "verbatim", "normalised"):
        checks = {
            "found at its place >= 99 %": row.right_place / row.count >= 0.99 and _faithful(row) >= 0.99
        }
    elif row.kind == "elided":
        checks = {"both parts found >= 95 %": row.right_place / row.count >= 0.95}
    else:
        checks = {
            "called verbatim 0": row.matches["verbatim"] == 0,
            "called normalised <= 1 %": row.share("normalised") <= 0.01,
            "called elided <= 1 %": row.share("elided") <= 0.01,
        }
    return [f"{row.kind}: {bar}" for bar, is_met in checks.items() if not is_met]


def _faithful(row: Row) -> float:
    return row.share(*(match for match in STRENGTH if is_grounded(match)))


def document(speeches: Sequence[dict], tokens: int = 10_000) -> str:
    """Speeches one after the other, up to so many words and marks."""
    words: list[str] = []
    for speech in speeches:
        words += re.findall(r"\s*(?:\w+|[^\w\s])", speech["text"] + "\n\n")
        if len(words) >= tokens:
            break
    return "".join(words[:tokens])


def costs(speeches: Sequence[dict], others: Sequence[dict], seed: int) -> list[str]:
    """Print CPU milliseconds a quote in one document of 10,000 tokens; return the bars missed."""
    text = document(speeches)
    whole = [{"text": text, "meta": speeches[0]["meta"]}]
    prepared = Grounder(text)
    begun = time.process_time()
    prepared.ground("no such words anywhere in here")
    print(f"  prepared once: {(time.process_time() - begun) * 1e3:.1f} ms for {len(text):,} characters")
    print(f"  {'kind':16}{'mean ms':>9}{'p99 ms':>9}{'max ms':>9}")
    missed = []
    for kind in KINDS:
        quotes = [case.quote for case in cases(kind, whole, others, 60, seed)]
        times = [_cpu_ms(prepared.ground, quote) for quote in quotes]
        if not times:
            continue
        cut = statistics.quantiles(times, n=100)[98] if len(times) > 1 else times[0]
        print(f"  {kind:16}{statistics.mean(times):9.2f}{cut:9.2f}{max(times):9.2f}")
        limit = 1.0 if kind in ("short", "verbatim") else 10.0
        if statistics.mean(times) > limit:
            missed.append(f"{kind}: <= {limit:g} ms CPU a quote in 10,000 tokens")
    cold = [_cpu_ms(Grounder(text).ground, case.quote) for case in cases("verbatim", whole, others, 60, seed)]
    print(f"  {'verbatim, cold':16}{statistics.mean(cold):9.2f}{'':9}{max(cold):9.2f}")
    long = " ".join(random.Random(seed).sample(text.split(), 600))
    print(f"  {'600 words absent':16}{_cpu_ms(prepared.ground, long):9.2f}")
    return missed + ([] if statistics.mean(cold) < 1 else ["verbatim, text not prepared: < 1 ms CPU"])


def _cpu_ms(call: Callable[[str], Grounding], quote: str) -> float:
    begun = time.process_time()
    call(quote)
    return (time.process_time() - begun) * 1e3


def speeches_in(name: str) -> list[dict]:
    """The speeches of one file of the data set."""
    folder = os.environ.get("CUPEL_BENCH_DATA")
    if not folder:
        raise SystemExit("set CUPEL_BENCH_DATA to the folder that holds eu_debates_2025/")
    with (Path(folder) / "eu_debates_2025" / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=400, help="quotes of each kind and file")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    english, other = speeches_in("dev.jsonl"), speeches_in("other_languages.jsonl")
    missed: list[str] = []
    for title, speeches, others in (("English", english, other), ("20 other languages", other, english)):
        print(
            f"\n{title}\n{'kind':16}{'n':>6}{''.join(f'{m:>11}' for m in reversed(STRENGTH))}{'right place':>13}"
        )
        for kind in KINDS:
            # sentences of other speeches: invented ones in the same language, foreign ones in another
            quotes = cases(
                kind, speeches, others if kind == "foreign" else speeches, options.each, options.seed
            )
            if not quotes:
                continue
            row = measure(kind, quotes)
            print(row, "" if len(quotes) >= 200 else "  (fewer than 200)")
            missed += [f"{title}: {bar}" for bar in misses(row)]
        missed += [f"{title}: {bar}" for bar in costs(speeches, others, options.seed)]
    missed += compare_scripts(english, other, max(20, options.each // 4), options.seed)
    print("\nevery bar met" if not missed else "\nmissed:\n  " + "\n  ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
