"""What a process owns once per event loop: run log, limiter, circuits, model clients, and the run under way.

Nodes ask `current()` for it. The command line and the runner open one explicitly and close it; under the
LangGraph server it opens itself at the first call. `Calls.complete` is the one place where a model is
called: looked up first, reserved before it is sent, limited, retried, and committed before it is used.
"""

from cupel.engine.allowance import AllowanceBudget, Cap, give_back_documents, take_documents
from cupel.engine.ask import Answer, Question, QuestionKind, ask
from cupel.engine.batch import Batcher, BatchSettings, check_batchable, held_usd
from cupel.engine.bundle import (
    Bundle,
    BundleCertificate,
    TaskAgreement,
    ask_bundled,
    bundle_path,
    bundled_prompt,
    read_bundle_certificate,
)
from cupel.engine.calls import STOP_WITHIN_S
from cupel.engine.money import KeptBudget, SharedBudget
from cupel.engine.packing import (
    Packing,
    PackingCertificate,
    PackTerms,
    Place,
    arrange,
    ask_packed,
    certificate_path,
    packed_prompt,
    read_certificate,
)
from cupel.engine.policies import judge_path, policy_path, read_prerouter
from cupel.engine.requests import DOCUMENT_MARK, STEP_EVENT, Request
from cupel.engine.run import Asking, Ledger, Run, Seat, Tally, ask_as, current_asking, is_asked_within
from cupel.engine.runtime import (
    DEFAULT_TASK,
    Runtime,
    close_current,
    current,
    drop_calls,
    install,
    is_asking,
    rescue_answers,
    sent_calls,
    stop_asking,
)
