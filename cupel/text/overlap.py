"""How much of a document's text another text repeats, counted in words."""

from __future__ import annotations

import html
import re
import unicodedata
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
TRACE_WORDS = 6
"""So many words in a row are taken for a quotation; two speeches share an opening that long now and then."""

_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_ESCAPED = re.compile(r"\\[nrt]|\\u00(?:2[26]|3[ce])|<[^<>]*>")
"""Line ends and markup as JSON and HTML write them between words."""

# scripts written without spaces count one word per character
_WORD = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]|[^\W_]+(?:['’][^\W_]+)*")


def visible(text: str) -> str:
    """Return `text` without invisible characters and with compatibility forms folded (NFKC).

    >>> visible("sys" + chr(0x200B) + "tem：")
    'system:'
    """
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))


def words(text: str) -> list[str]:
    """Return the words of `text`, case-folded and without punctuation.

    >>> words("The Commission’s plan (2025)!")
    ['the', "commission's", 'plan', '2025']
    """
    return [match.casefold().replace("’", "'") for match in _WORD.findall(visible(text))]


def ngrams(tokens: list[str], size: int) -> Iterator[tuple[str, ...]]:
    """Yield every run of `size` neighbouring words, in order."""
    return (tuple(tokens[at : at + size]) for at in range(len(tokens) - size + 1))


class NgramIndex:
    """The runs of `size` words that occur in some documents.

    Args:
        texts: The documents' texts.
        size: Words per run, at least 1.
    """

    def __init__(self, texts: Iterable[str], *, size: int) -> None:
        self.size = size
        # hashes: a thousand documents then take some megabytes
        self._known = {hash(gram) for text in texts for gram in ngrams(words(text), size)}

    def find_shared(self, text: str) -> str | None:
        """Return the first run of `size` words which `text` shares with the documents, or None.

        >>> NgramIndex(["we need a strong and fair budget"], size=3).find_shared("Ask for a strong, and fair one.")
        'a strong and'
        """
        return next(
            (" ".join(gram) for gram in ngrams(words(text), self.size) if hash(gram) in self._known), None
        )

    def count_covered(self, text: str) -> int:
        """Count the words of `text` which lie in any run shared with the documents.

        >>> NgramIndex(["we need a strong and fair budget"], size=3).count_covered("need a strong, and a budget")
        4
        """
        tokens = words(text)
        inside: set[int] = set()
        for at, gram in enumerate(ngrams(tokens, self.size)):
            if hash(gram) in self._known:
                inside.update(range(at, at + self.size))
        return len(inside)


def find_traces(texts: Iterable[str], writings: Mapping[K, str]) -> set[K]:
    """Return the names of the writings, pages or JSON among them, in which one of the texts is quoted.

    Markup, case and punctuation do not count. Memory grows with the writings, not with the texts.

    >>> pages = {"a": "<p>We must <b>act</b> now, before the stocks are gone.</p>", "b": "Nothing of it."}
    >>> find_traces(["Mr President, we must act now, before the stocks are gone."], pages)
    {'a'}
    """
    said = {name: words(html.unescape(_ESCAPED.sub(" ", writing))) for name, writing in writings.items()}
    quoted: defaultdict[int, list[K]] = defaultdict(list)
    for name, tokens in said.items():
        for run in {hash(gram) for gram in ngrams(tokens, TRACE_WORDS)}:
            quoted[run].append(name)
    found: set[K] = set()
    for text in texts:
        tokens = words(text)
        for gram in ngrams(tokens, TRACE_WORDS):
            found.update(quoted.get(hash(gram), ()))
        if 0 < len(tokens) < TRACE_WORDS:  # nothing but the whole of it tells a short text from others
            found.update(name for name, other in said.items() if tuple(tokens) in ngrams(other, len(tokens)))
    return found
