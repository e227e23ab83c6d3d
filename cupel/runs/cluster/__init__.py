"""More than one machine: documents in partitions on a Dask cluster, one PostgreSQL run log for all of them.

    driver ── order + rows ──→ worker ── outcomes ──→ driver
                                 │
                PostgreSQL: answers, outcomes, limits

An order carries the project's graphs, nodes and prompts; keys and the run log's address never travel: each worker
has them in its own environment. What a lost worker had finished is in the run log, whoever takes over.
"""

from cupel.runs.cluster.driver import cluster_outcomes, open_cluster
from cupel.runs.cluster.frames import enrich_frame, is_dask_frame
from cupel.runs.cluster.orders import check_cluster
