"""A task: its folder read and checked, its prompts filled, its schema held against a record."""

from cupel.task.choose import choose_task
from cupel.task.fit import RecordCheck, check_by, fit_of, schema_problem
from cupel.task.folder import ad_hoc_task, load_task, parse_rules, read_rules
from cupel.task.form import strict_form
from cupel.task.rendering import (
    Message,
    Template,
    asks_for,
    check_prompts,
    compact,
    fill_instructions,
    input_values,
    messages,
    object_schema,
    prompt_version,
    read_template,
    render,
    sent_schema,
    stable_values,
    template_of,
    wire_schema,
)
from cupel.task.reply import read_record
from cupel.task.schema import grounded_quotes
from cupel.task.schema_check import surely_fits
from cupel.task.shape import Part, Shape, shape_of, types_of
from cupel.task.spec import Rule, TaskCriterion, TaskSpec
