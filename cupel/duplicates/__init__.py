"""Documents that repeat an earlier one: found by hash or, where asked for, by what they have in common."""

from cupel.duplicates.index import TextIndex, Twin, check_similarity
from cupel.duplicates.twins import is_taken_over, taken_over

__all__ = ["TextIndex", "Twin", "check_similarity", "is_taken_over", "taken_over"]
