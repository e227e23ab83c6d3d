"""What LangSmith is told, when tracing was switched on; nothing else leaves."""

from typing import TYPE_CHECKING

from cupel._late import late
from cupel.tracing.served import is_aegra, is_served, take_over
from cupel.tracing.tracer import (
    NODE_TRACE,
    Tracer,
    call_context,
    feedback_of,
    langsmith_client,
    masking_rules,
    reachable,
    where,
)
from cupel.tracing.transport import Sending

if TYPE_CHECKING:
    from cupel.tracing.upload import (
        UPLOAD_S,
        Correction,
        pull_corrections,
        upload_examples,
        upload_experiment,
    )
else:
    __getattr__ = late(__name__)
