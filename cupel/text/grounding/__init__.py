"""Where a quote stands in a text, and how faithfully it was quoted.

    verbatim     the text's own characters
    normalised   the same words, numbers and inner punctuation; only case, whitespace, quote and dash style,
                 Unicode form, layout, markup or the punctuation around the quote differ (`reading.py` has the list)
    elided       every part found so, in order and close together, and the quote marks the gap
    altered      close, but a word, number or mark differs, or a gap hides a negation; `diff` shows it
    absent       not in the text

Only verbatim and normalised count as grounded. Offsets are `[start, end)` in code points of the text as given.
"""

from cupel.text.grounding.grounder import Grounder, ground
from cupel.text.grounding.matches import Grounding, Span, is_grounded
from cupel.text.grounding.tokens import is_word, tokenise
