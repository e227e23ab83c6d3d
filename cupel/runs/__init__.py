"""Many documents through a graph: bounded, in order, resumable, and stopped without losing anything."""

from typing import TYPE_CHECKING

from cupel._late import late
from cupel.runs.choice import plan_for, say_choice
from cupel.runs.job import Job, Terms
from cupel.runs.joint_run import JointRun
from cupel.runs.progress import Stop
from cupel.runs.runner import Runner

if TYPE_CHECKING:
    from cupel.runs.assistants import Synced, sync_assistants
    from cupel.runs.bench import (
        Bench,
        Columns,
        Document,
        Documents,
        agreement_with_gold,
        detach,
        document_of,
        enrich_graph,
        is_unanswered,
        open_bench,
        open_documents,
        open_runtime,
        read_documents,
        scores_of,
        slices_of,
    )
    from cupel.runs.cluster import check_cluster, cluster_outcomes, enrich_frame, is_dask_frame, open_cluster
    from cupel.runs.forget import Erasure, forget_documents
    from cupel.runs.gold import ByGold, GoldTally, hold_against, read_golds
    from cupel.runs.items import (
        Beside,
        Export,
        TidyRun,
        export_run,
        open_beside,
        rows_of,
        tidy_frame,
        tidy_run,
    )
    from cupel.runs.outputs import Outputs, Writers, tidy_paths
    from cupel.runs.planning import Estimate, Plan, add_plans, note_plan, plan_run
    from cupel.runs.server import KEY_VARIABLE, Offer, Server, ServerRunner, ask_offer, check_server, read_key
else:
    __getattr__ = late(__name__)
