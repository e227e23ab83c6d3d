"""One document through the enrich graph: one file per node, and the routes between them."""

from cupel.cascade.addendum import MAX_INSTRUCTIONS, addendum_schema
from cupel.cascade.extract import attempt_record, prompt_for
from cupel.cascade.finish import settle
from cupel.cascade.judge import judge_record
from cupel.cascade.prepare import begin
from cupel.cascade.verify import FREE, SAMPLES, VERIFICATIONS, read_signals, verify_record
