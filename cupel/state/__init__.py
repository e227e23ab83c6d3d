"""What the nodes of each graph share; these types are its input, its output and its channels."""

from typing import TYPE_CHECKING

from cupel._late import late
from cupel.state.enrich import (
    AddendumRecord,
    Asked,
    Attempt,
    Call,
    DocumentInput,
    EstimateRecord,
    Evidence,
    FindingName,
    FindingRecord,
    Found,
    JudgeWay,
    JurorRecord,
    JuryReason,
    JuryRecord,
    Kept,
    Match,
    Outcome,
    Record,
    Review,
    RunState,
    Settled,
    Status,
    Tier,
    VerdictName,
    VerdictRecord,
    calls_of,
)
from cupel.state.mention import Mention, mentions_of

if TYPE_CHECKING:
    from cupel.state.compare import CompareInput, CompareResult, CompareState, Opinion, Side
    from cupel.state.improve import (
        ApproveUpdate,
        Candidate,
        CollectUpdate,
        ConcludeUpdate,
        DiagnoseUpdate,
        Edited,
        ImproveInput,
        ImproveResult,
        ImproveState,
        Nominee,
        Result,
        Round,
    )
else:
    __getattr__ = late(__name__)
