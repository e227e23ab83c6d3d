"""Documents and the quotes in them: reading, windows, twins, grounding, and what may not be said about one."""

from cupel.text.computed import OF_LANGUAGE, complete_record, is_same_passage, span_of
from cupel.text.dates import is_date, own_date
from cupel.text.documents import document_id, language_if_ready, language_of, split_windows, usable_text
from cupel.text.duplicates import TextIndex, Twin, check_similarity, is_taken_over, take_over
from cupel.text.evidence import ground_record, grounder_of, shift
from cupel.text.grounding import Grounder, Grounding, Span, ground, is_grounded
from cupel.text.injection import forbidden
from cupel.text.overlap import NgramIndex, find_traces, visible, words
from cupel.text.storable import storable, storable_row
from cupel.text.terms import fold, nearest, paths_of, values_of
from cupel.text.window_merge import WindowRecord, merge_windows
