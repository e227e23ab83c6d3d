"""A task of one choice and a quote, small enough to be read at a glance."""

from dataclasses import replace

from cupel.task import Example, Rule, TaskCriterion, TaskSpec

RULES = (Rule("exact", "Copy every quote exactly."), Rule("skip", "Skip greetings.", failures=("f0",)))
LABELS = {"mood": {"glad": "speaks well of it", "sad": "speaks ill of it"}}
EXAMPLES = (Example("harbour", "What a fine harbour we have.", {"quote": "fine harbour", "mood": "glad"}),)
SCHEMA = {
    "type": "object",
    "properties": {
        "quote": {"type": "string", "x-grounded": True},
        "mood": {"type": "string", "enum": ["glad", "sad", "none"]},
    },
    "required": ["quote", "mood"],
    "additionalProperties": False,
}
SMALL = TaskSpec(
    name="small", title="Moods", description="", schema=SCHEMA, metric="mood", rules=RULES, labels=LABELS,
    examples=EXAMPLES, criteria=(TaskCriterion("fits", "Does it fit?", critical=True),),
    prompts={
        "extract": "# system\nFill it. {{labels}} {{rules}} {{examples}}\n\n# user\n{{document}}",
        "judge": "# system\n{{criteria}}\n\n# user\n{{document}} {{record}}",
        "improve": "# system\n{{contract}} {{labels}}\n\n# user\n{{rules}} {{examples}} {{failures}}",
    },
)  # fmt: skip


def small(**changes):
    """The task with other parts."""
    return replace(SMALL, **changes)
