"""Words of a text in any language, for comparing what two texts say."""

from __future__ import annotations

import re
import unicodedata

# scripts written without spaces count one word per character
_WORD = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]|\w+(?:['’]\w+)*")


def words(text: str) -> list[str]:
    """Return the words of `text`, case-folded, without punctuation.

    >>> words("L’Union, 2025!")
    ["l'union", '2025']
    """
    return [word.casefold().replace("’", "'") for word in _WORD.findall(unicodedata.normalize("NFKC", text))]
