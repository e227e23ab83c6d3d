"""A task: its folder read and checked, its prompts filled, its schema held against a record."""

from cupel.task.card import GROUPS, UNMEASURED, Card, read_card
from cupel.task.choose import choose_task
from cupel.task.computed import CONFIRMED, DATE, KINDS, READABILITY, UNITS, computed_fields, computed_values
from cupel.task.faults import labels_in
from cupel.task.fences import Fenced, fence, neutralise, wrap
from cupel.task.field import Field, field_of
from cupel.task.fit import fit_of, schema_faults, schema_problem
from cupel.task.folder import SENT, ad_hoc_task, load_task, parse_rules, task_names, with_files
from cupel.task.form import strict_form
from cupel.task.inputs import input_text
from cupel.task.node import COMPUTED, apart
from cupel.task.places import value_places
from cupel.task.record_class import RecordClass, import_class
from cupel.task.rendering import (
    Message,
    Template,
    asks_for,
    check_prompts,
    compact,
    fill_instructions,
    messages,
    object_schema,
    of_document,
    prompt_version,
    read_template,
    render,
    sent_schema,
    stable_values,
    template_of,
    wire_schema,
)
from cupel.task.reply import opens_more, read_record
from cupel.task.schema import definitions_of, grounded_quotes
from cupel.task.shape import Part, Shape, as_key, holder_of, shape_of, without_indexes
from cupel.task.sizes import prompt_tokens
from cupel.task.spec import Checks, Example, RecordCheck, Rule, TaskCriterion, TaskSpec, judge_prompt_of
from cupel.task.tags import tags_of
