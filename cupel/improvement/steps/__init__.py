"""The steps of the improve graph, one file per node."""

from cupel.improvement.steps.promote import promote, rollback, store_version
