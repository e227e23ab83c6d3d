"""Fields of a record that code fills in: from the text, from what the record says, and from the document's inputs."""

from cupel.text.computed.complete import OF_LANGUAGE, complete_record
from cupel.text.computed.kinds import FILL, is_same_passage, span_of
