"""What proposes edits of a prompt's rules: engines behind one Protocol, all of them only nominating.

`reflect` asks once and is the default; `gepa` searches, behind our own guards, and needs an extra.
"""

from cupel.improvement.engines.base import Brief, Tried
from cupel.improvement.engines.named import engine_named
