"""What Python code may do with a project: enrich documents, and what the command line does with runs, labels and prompts.

enrich(df, task), aenrich(df, task)          documents in a DataFrame, records beside them
list_runs(task)                              `cupel runs`
make_labels(source, out), check_labels(path) `cupel labels`
list_versions(task), copy_prompt(task, to)   `cupel prompts list`, `cupel prompts copy`
diff_versions(task, old, new)                `cupel prompts diff`
"""

from cupel.api.enrichment import aenrich, enrich
from cupel.api.project import (
    check_labels,
    copy_prompt,
    diff_versions,
    list_runs,
    list_versions,
    make_labels,
)
