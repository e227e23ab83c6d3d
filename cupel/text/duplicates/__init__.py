"""Documents that repeat an earlier one: found by hash or, where asked for, by what they have in common."""

from cupel.text.duplicates.index import TextIndex, Twin, check_similarity
from cupel.text.duplicates.twins import is_taken_over, take_over
