"""The tables of the run log. A change here needs a migration in `migrations/versions/`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

FORGOTTEN = "forgotten"
"""Status of an outcome, and end of a reply, of which only the cost was kept."""

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(32), primary_key=True),
    Column("task", String(200), nullable=False),
    Column("task_identity", String(32), nullable=False),
    Column("input_name", Text, nullable=False),
    Column("output_name", Text),
    Column("settings", Text, nullable=False, doc="JSON of everything that decides the run's results"),
    Column("planned", Text, doc="JSON of the plan it was started with"),
    Column("rows", Integer, doc="Rows of the input at the last finish"),
    Column("state", String(16), nullable=False, doc="running, stopped or finished"),
    Column(
        "kind",
        String(16),
        server_default="run",
        doc="run; several, of a run of several tasks; part, of one of its tasks; or trial, of what is only tried",
    ),
    Column("started_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("text_hash", String(64), primary_key=True),
    Column("text", Text, nullable=False),
)

prompt_versions = Table(
    "prompt_versions",
    metadata,
    Column("version", String(32), primary_key=True),
    Column("task", String(200), nullable=False),
    Column("kind", String(16), nullable=False, doc="extract, judge or refine"),
    Column("system", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("schema", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
)

responses = Table(
    "responses",
    metadata,
    Column(
        "key", String(64), primary_key=True, doc="Hash of model, messages, schema, sampling, sample and retry"
    ),
    Column("run_id", String(32)),
    Column("doc_id", Text),
    Column("kind", String(16), nullable=False),
    Column("model", Text, nullable=False),
    Column("asked", Text, nullable=False, doc="JSON: the messages, the document's text cut out"),
    Column("text", Text, nullable=False),
    Column("refusal", Text),
    Column("finish_reason", String(32)),
    Column("input_tokens", Integer, nullable=False),
    Column("cached_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("cost_usd", Float),
    Column("latency_s", Float, nullable=False),
    Column("logprobs", Text, doc="JSON list: each token with its log-probability and alternatives"),
    Column("created_at", String(32), nullable=False),
)

counted = Index(
    "responses_counted",
    *(
        responses.c[name]
        for name in ("model", "kind", "latency_s", "input_tokens", "output_tokens", "cost_usd")
    ),
)
"""All that is counted of answers, so that counting them reads no text."""

reservations = Table(
    "reservations",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("run_id", String(32), nullable=False, index=True),
    Column(
        "usd",
        Float,
        nullable=False,
        doc="The most this call can cost; counts as spent until its response is here",
    ),
    Column("created_at", String(32), nullable=False),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("key", String(64), primary_key=True, doc="Hash of graph, task, settings, text, inputs and doc_id"),
    Column("run_id", String(32), nullable=False, index=True),
    Column("doc_id", Text, nullable=False),
    Column("text_hash", String(64), nullable=False),
    Column("task", String(200), nullable=False),
    Column("status", String(16), nullable=False),
    Column("cost_usd", Float),
    Column(
        "tries", Integer, nullable=False, doc="How often the document was taken up under this key, from 1"
    ),
    Column("outcome", Text, nullable=False, doc="JSON of the Outcome"),
    Column(
        "code", String(32), doc="Version of the project's graphs and nodes that made it; null before 0005"
    ),
    Column("finished_at", String(32), nullable=False),
)
Index("outcomes_by_document", outcomes.c.doc_id)

run_rows = Table(
    "run_rows",
    metadata,
    Column("run_id", String(32), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("outcome_key", String(64), nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("outcome_key", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("tier", String(8), nullable=False),
    Column("model", Text, nullable=False),
    Column("prompt_version", String(32), nullable=False),
    Column("record", Text, doc="JSON, null when there is none"),
    Column("error", Text),
    Column("signals", Text, nullable=False, doc="JSON of name to number or null"),
    Column("score", Float),
    Column("confidence", Float),
    Column("cost_usd", Float),
    Column("latency_s", Float, nullable=False),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("outcome_key", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, doc="1 for the first verdict on this document"),
    Column("attempt", Integer, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("model", Text),
    Column("findings", Text, nullable=False, doc="JSON list, code findings included"),
    Column("reason", Text, nullable=False),
    Column("cost_usd", Float),
)

failures = Table(
    "failures",
    metadata,
    Column("outcome_key", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("run_id", String(32), nullable=False, index=True),
    Column("doc_id", Text, nullable=False),
    Column("task", String(200), nullable=False, index=True),
    Column("prompt_version", String(32), nullable=False),
    Column("model", Text, nullable=False),
    Column("tier", String(8), nullable=False),
    Column("criterion", Text, nullable=False, doc="The criterion, check or doubt that failed"),
    Column("cause", Text, nullable=False, doc="code, judge, audit, doubt, gold or provider"),
    Column("reasoning", Text, nullable=False),
    Column("quote", Text),
    Column("fixed_by", String(16), nullable=False, doc="addendum, escalation, person or none"),
    Column("addendum", Text, doc="JSON list of the instructions that fixed it"),
    Column("cost_usd", Float),
    Column("created_at", String(32), nullable=False),
)

words = Table(
    "words",
    metadata,
    Column("key", String(64), primary_key=True, doc="Hash of document, kind and content"),
    Column("doc_id", Text, nullable=False, index=True),
    Column("kind", String(16), nullable=False, doc="text, attempt, verdict, addendum or review"),
    Column("content", Text, nullable=False, doc="JSON: what the state of a thread refers to by key"),
    Column("created_at", String(32), nullable=False),
)

golds = Table(
    "golds",
    metadata,
    Column("outcome_key", String(64), primary_key=True),
    Column("run_id", String(32), nullable=False, index=True),
    Column("doc_id", Text, nullable=False),
    Column(
        "gold", Text, nullable=False, doc="JSON of what the record should have been, as it was at that run"
    ),
    Column("source", Text, nullable=False, doc="The file or column it was read from"),
    Column("differences", Text, nullable=False, doc="JSON list of what the record has wrong by it"),
    Column("score", Float, doc="The task's metric of the record against it; null where nobody answered"),
    Column("is_right", Integer, doc="1 where the metric reaches the task's wrong_below; null as the score"),
    Column("created_at", String(32), nullable=False),
)

batch_jobs = Table(
    "batch_jobs",
    metadata,
    Column("job_id", String(32), primary_key=True, doc="Ours; the provider's job carries it as metadata"),
    Column("run_id", String(32), nullable=False, index=True),
    Column("model", Text, nullable=False),
    Column("state", String(16), nullable=False, doc="made, uploaded, submitted or ended"),
    Column("file_id", Text, doc="The provider's name of the uploaded requests"),
    Column("batch_id", Text, doc="The provider's name of the job"),
    Column("requests", Integer, nullable=False),
    Column("problem", Text, doc="What became of a job that did not complete"),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
)

batch_requests = Table(
    "batch_requests",
    metadata,
    Column("key", String(64), primary_key=True, doc="The response's key; the line's custom_id"),
    Column("run_id", String(32), nullable=False, index=True),
    Column("job_id", String(32), index=True, doc="The job it is in, or was answered by"),
    Column("state", String(16), nullable=False, doc="parked, sent, answered, or live: no longer for a batch"),
    Column("tries", Integer, nullable=False, doc="Jobs that came back without an answer to it"),
    Column("model", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("doc_id", Text, nullable=False),
    Column("asked", Text, nullable=False, doc="As in responses"),
    Column("body", Text, nullable=False, doc="JSON as sent; emptied when answered"),
    Column("usd", Float, nullable=False, doc="The most it can cost, at the price of a batch"),
    Column("created_at", String(32), nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True, doc="What only one process at a time may do"),
    Column("owner", String(32), nullable=False, doc="Token of the holder"),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("born", Text, doc="When that process started, as its system counts; tells a reused pid apart"),
    Column("since", String(32), nullable=False),
    Column("expires_at", Float, nullable=False, doc="Seconds since 1970; counts for other hosts only"),
)

purses = Table(
    "purses",
    metadata,
    Column("run_id", String(32), primary_key=True),
    Column("committed_pico", BigInteger, nullable=False, doc="Spent and reserved, in 1e-12 US dollars"),
)

endpoints = Table(
    "endpoints",
    metadata,
    Column(
        "model", String(400), primary_key=True, doc="With its address, where that is not the provider's own"
    ),
    Column("found", Text, nullable=False, doc="JSON of what it was found to do"),
    Column("at", String(40), nullable=False, doc="When that was, UTC, ISO 8601"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", String(64), primary_key=True, doc="Hash of task, kind and key: the same one is one entry"),
    Column("task", String(200), nullable=False, index=True),
    Column(
        "kind", String(16), nullable=False, doc="split, version, look, decision, promotion, rollback or note"
    ),
    Column("key", Text, nullable=False, doc="What makes it one of its kind"),
    Column("at", String(40), nullable=False, doc="UTC, ISO 8601; entries are ordered by it"),
    Column("data", Text, nullable=False, doc="JSON, as its kind asks"),
)

seen_documents = Table(
    "seen_documents",
    metadata,
    Column("task", String(200), primary_key=True),
    Column("doc_hash", String(64), primary_key=True, doc="Hash of the document's words"),
    Column(
        "how",
        String(200),
        nullable=False,
        doc="Where it was first shown beside a result of the task's prompt",
    ),
    Column("at", String(40), nullable=False, doc="When that was, UTC, ISO 8601"),
)

serve_keys = Table(
    "serve_keys",
    metadata,
    Column("id", String(16), primary_key=True, doc="Its owner's name on threads, runs and reviews"),
    Column("name", String(80), nullable=False, unique=True, doc="What a person calls it"),
    Column(
        "digest", String(64), nullable=False, unique=True, doc="SHA-256 of the key; it itself is kept nowhere"
    ),
    Column("kind", String(16), nullable=False, doc="caller, or metrics: reads those and nothing else"),
    Column("created_at", String(40), nullable=False),
    Column("revoked_at", String(40)),
)

allowances = Table(
    "allowances",
    metadata,
    Column(
        "name", String(80), primary_key=True, doc="A day (UTC) and a key's id, or * for all keys together"
    ),
    Column("documents", Integer, nullable=False, doc="Admitted"),
    Column("spent_pico", BigInteger, nullable=False, doc="In 1e-12 US dollars"),
    Column("held_pico", BigInteger, nullable=False, doc="The most that calls under way can cost"),
)

served = Table(
    "served",
    metadata,
    Column("run", String(64), primary_key=True, doc="The server's id of the run"),
    Column("thread", String(64), index=True, doc="Null where it has none"),
    Column("owner", String(16), nullable=False, doc="Id of the caller's key; empty on one's own machine"),
    Column("graph", String(80), nullable=False),
    Column("task", String(200), nullable=False),
    Column(
        "state",
        String(16),
        nullable=False,
        index=True,
        doc="running, waiting, answered, done, failed or refused",
    ),
    Column("status", String(16), doc="Of the document, once it is done"),
    Column("escalated", Integer, nullable=False, doc="1 where the strong tier was asked"),
    Column("refinements", Integer, nullable=False),
    Column("accepted", Integer, nullable=False, doc="Verdicts of that kind"),
    Column("rejected", Integer, nullable=False),
    Column("unknown", Integer, nullable=False),
    Column("started_at", String(40), nullable=False),
    Column("wall_s", Float, doc="From admission to its end, or to the question to a person"),
)

served_calls = Table(
    "served_calls",
    metadata,
    Column("run", String(64), primary_key=True),
    Column("model", String(400), primary_key=True),
    Column("tier", String(16), primary_key=True, doc="cheap, strong, judge, refine or other"),
    Column("calls", Integer, nullable=False, doc="Sent and answered"),
    Column("cache_hits", Integer, nullable=False, doc="Answered by the run log"),
    Column("input_tokens", Integer, nullable=False, doc="Of calls that were sent"),
    Column("output_tokens", Integer, nullable=False),
    Column("cost_usd", Float, nullable=False),
)
