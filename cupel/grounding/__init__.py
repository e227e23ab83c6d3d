"""Where a quote stands in a text, and how faithfully it was quoted.

    verbatim     the text's own characters
    normalised   the same words, numbers and inner punctuation; only case, whitespace, quote and dash style,
                 Unicode form or the punctuation around the quote differ
    elided       every part found so, in order and close together, and the quote marks the gap
    altered      close, but a word, number or mark differs; `diff` shows it
    absent       not in the text

Only verbatim and normalised count as grounded. Offsets are `[start, end)` in code points of the text as given.
"""

from cupel.grounding.grounder import Grounder, ground
from cupel.grounding.matches import STRENGTH, Grounding, Match, is_grounded

__all__ = ["STRENGTH", "Grounder", "Grounding", "Match", "ground", "is_grounded"]
