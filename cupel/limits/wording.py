"""What providers write when they refuse a request: whose fault it is, read from their words.

Statuses do not tell: a wrong key is a 400 with xAI and Gemini, an unknown model with OpenRouter, Mistral, DeepSeek and
Groq; a schema is refused with a 400, 422 or 500, and so is a document that is too long. The wordings are those of
public reports; tests/unit/limits/test_wording.py has them.
"""

from __future__ import annotations

import re

_KEY_OR_MODEL = re.compile(
    r"""(?ix)
      api[ _-]?key\ (is\ )?(not\ valid|invalid|not\ found|expired)
    | (incorrect|invalid|missing|no\ valid)\ (or\ invalid\ )?(api[ _-]?key|authentication|authorization)
    | \b(api_key_invalid|invalid_api_key|invalid_authentication|model_decommissioned|model_not_found|invalid_model(_id)?)\b
    | \bis\ not\ a\ valid\ model
    | \b(invalid|unknown|unsupported)\ model(\ id|\ name)?(\s*[:.=]|\s*$|\s*·|\s+['"`])
    | \bmodel\ not\ exist
    | \bno\ such\ model
    | \bmodel\b.{0,120}\b(does\ not\ exist|is\ not\ available|has\ been\ decommissioned|could\ not\ be\ found|was\ not\ found|not\ found)
    | \b(credit\ balance\ is\ too\ low|insufficient\ (balance|credits?|funds))
    """
)

_GRAMMAR = re.compile(
    r"""(?ix)
      grammar\ error
    | (failed|unable|error)\ (to\ )?(pars(e|ing)|compil(e|ing)|convert(ing)?|build(ing)?)\ (the\ )?(json\ ?schema|grammar|regex)
    | json\ ?schema\ conversion
    | invalid\ json\ ?schema
    | input\ should\ be\ 'text'\ or\ 'json_object'
    | schema\b.{0,80}\bnot\ supported\ by\ (xgrammar|outlines|llguidance|guidance|lm-format-enforcer)
    """
)

_SCHEMA = re.compile(
    r"""(?ix)
      \b(invalid|unsupported|malformed|bad)\ (json\ ?)?schema
    | \b(json|response|output)[ _]?schema\b
    | \bschema\b.{0,80}\b(invalid|not\ supported|unsupported|not\ allowed|too\ (complex|deep|large|many)|must|requires?|not\ valid|exceeds)
    | \bschema\ is\ not\ valid
    | \bresponse_format\b
    | \b(output_format|output_config)\b
    | \b(guided_json|structured[ _]outputs?|guided\ decoding)\b
    | \btoo\ many\ states\ for\ serving
    | \binput\ should\ be\ 'text'\ or\ 'json_object'
    """
)

_PLAINLY_SCHEMA = re.compile(r"(?i)invalid[ _](json[ _]?)?schema")

_DOCUMENT = re.compile(
    r"""(?ix)
      context[ _-]?(length|window|size)
    | \btoo\ (long|large|many\ (input\ )?tokens)\b(?!.{0,40}schema)
    | \b(reduce|shorten)\b.{0,40}\b(length|prompt|messages?|input)
    | \b(prompt|input|messages?|text|request)\b.{0,60}\bexceed
    | \bexceeds?\b.{0,60}\b(tokens?|context|characters)\b
    | \bmax(imum)?[ _](input|prompt|context)[ _](tokens|length)
    | string_above_max_length
    | content[ _](filter|management|policy|moderation)
    | \b(flagged|moderation|responsibleai|data_inspection_failed|prohibited_content|cybersecurity|usage\ polic)
    | \bsafety\b
    """
)

_LACKS_STRUCTURED_OUTPUT = re.compile(
    r"(?i)no endpoints found that (support|can handle) the requested parameters"
)

# 'properties', 'a' as a tuple has it; properties/a, properties.a and properties['a'] as paths do
_AFTER_PROPERTIES = re.compile(r"""properties(?:['"]\s*,\s*['"]|['"]?[/.\[]['"]?)([^'"/.,\]\[()\s:]+)""")
_POINTED = re.compile(r"""json_schema/([^\s:'"]+)""")


def blames_key_or_model(text: str) -> bool:
    """Whether a refusal is about the key, the model's name or the credit: every call would fail alike.

    >>> blames_key_or_model("deepseek-chat is not a valid model ID"), blames_key_or_model("Invalid model output")
    (True, False)
    """
    return _KEY_OR_MODEL.search(text) is not None


def blames_grammar(text: str) -> bool:
    """Whether a server says that it cannot make a grammar of the schema, with whatever status."""
    return _GRAMMAR.search(text) is not None


def blames_schema(text: str) -> bool:
    """Whether a refusal is about the schema that came with the request.

    >>> blames_schema("Invalid schema for response_format 'r': In context=(), 'minLength' is not permitted.")
    True
    >>> blames_schema("This model's maximum context length is 4096 tokens.")
    False
    """
    if _GRAMMAR.search(text) or _PLAINLY_SCHEMA.search(text):
        return True  # whatever a gateway wraps around it: LiteLLM calls it a content policy violation
    return _SCHEMA.search(text) is not None and not blames_document(text)


def blames_document(text: str) -> bool:
    """Whether a refusal is about this document alone: it is too long, or was filtered."""
    return _DOCUMENT.search(text) is not None


def lacks_structured_output(text: str) -> bool:
    """Whether a router has nobody who would take a schema."""
    return _LACKS_STRUCTURED_OUTPUT.search(text) is not None


def field_in(text: str) -> str:
    """The field of a schema that a refusal names, outermost first; empty where it names none.

    >>> field_in("In context=('properties', 'claims', 'items', 'properties', 'quote'), 'format' is not permitted.")
    'claims.quote'
    >>> field_in("invalid schema for response format: response_format/json_schema/next_step: minItems is not supported")
    'next_step'
    >>> field_in("at 'generation_config.response_schema.properties[3].value': Cannot find field")
    ''
    """
    names = [name for name in _AFTER_PROPERTIES.findall(text.partition("\n")[0]) if not name.isdigit()]
    if not names and (pointed := _POINTED.search(text)):
        names = [part for part in pointed[1].split("/") if part not in ("schema", "items", "")]
    return ".".join(names)
