"""The `{{placeholders}}` of a prompt."""

from __future__ import annotations

import re

TAG = re.compile(r"\{\{([#^/]?)\s*([\w-]+)\s*\}\}")
"""Groups: what kind of tag, and its name."""


def tags_of(text: str) -> frozenset[str]:
    """The names a prompt shows the value of; a section alone shows nothing.

    >>> sorted(tags_of("{{#topic}}Topic: {{topic}}{{/topic}} {{^rules}}none{{/rules}}"))
    ['topic']
    """
    return frozenset(name for kind, name in TAG.findall(text) if not kind)
