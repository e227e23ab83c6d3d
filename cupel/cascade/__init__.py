"""One document through the enrich graph: one file per node, and the routes between them."""

from cupel.cascade.addendum import MAX_INSTRUCTIONS, addendum_schema
from cupel.cascade.ask_back import ANSWERS
from cupel.cascade.calls import calls_told
from cupel.cascade.extract import attempt_record
from cupel.cascade.finish import conclude, name_language
from cupel.cascade.forms import PROMPTS, CompareSettings, EnrichSettings, ImproveSettings, current_prompts
from cupel.cascade.judge import ask_judge, check_by_code, settle_verdict
from cupel.cascade.judge_ways import binding_of
from cupel.cascade.people import LOCAL, Reply, Turn, ask_person, read_reply
from cupel.cascade.prepare import begin
from cupel.cascade.prompt import prompt_for
from cupel.cascade.served import Doorkeeper, Graph, Visit, keep_door
from cupel.cascade.verify import (
    FREE,
    SAMPLES,
    VERIFICATIONS,
    measure,
    observe_costly,
    observe_free,
    read_signals,
    weigh,
)
from cupel.cascade.words import unfold
from cupel.cascade.work import Work, take_up
