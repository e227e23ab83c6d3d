"""What Python code may do with a project; each command prints what one of these returns.

enrich(df, task)                             records beside the documents of a table of any kind
chart(df, kind, by=…), write_charts(run)     pictures of the records
tidy(df, task), export(run, out)             a row for each item of the records
FileWork(FileRun(file=…)).run()              a file of documents, as `cupel run` has it
plan(source, task)                           what a run will take
list_runs(task), outcomes(run)               the run log
list_tasks()                                 what can be extracted, and what it takes
write_report(run)                            a run's HTML page
show(doc_id, run), forget(*doc_ids)          a document's whole trail; taking it out of everything
failures(task, run), freeze_failures(name)   what went wrong, grouped; the same as a data set
calibrate(source, task)                      a measured confidence, a threshold with a certificate
improve(source, task), prompts(task)         a better prompt, its versions
compare(source, a, b, task)                  two models or prompts, judged by a third
evaluate(experiment)                         an experiment, against its baseline
judge_check(labels, task)                    whether the judge may decide
evaluate_routing(*sources)                   what any routing would have saved
make_labels(source, out), check_labels(path) gold
doctor()                                     whether a run would start
copy_prompt(task, to), diff_versions(task, old, new)

What asks a model has an async twin: `aenrich`, `aplan`, `acalibrate`, `aimprove`, `acompare`, `aevaluate`, `ajudge_check`.
The plain ones work inside a running loop too, as in a notebook.
"""

from typing import TYPE_CHECKING

from cupel._late import late
from cupel.api.enrichment import aenrich, enrich
from cupel.api.live import live_bar, status_line
from cupel.api.reached import Reached, reach

if TYPE_CHECKING:
    from cupel.api.calibration import CalibrationPlan, acalibrate, calibrate
    from cupel.api.charts import Charts, chart, write_charts
    from cupel.api.diagnosis import Diagnosis, doctor
    from cupel.api.doctor_checks import Check
    from cupel.api.documents import Forgetting, Trail, asked_of, calls_in_order, forget, show
    from cupel.api.estimates import RunPlan, aplan, plan
    from cupel.api.files import FileResult, FileRun, FileWork
    from cupel.api.improvement import Improvement, aimprove, improve, prompts
    from cupel.api.items import export, tidy
    from cupel.api.lists import Listing
    from cupel.api.project import LabelCheck, check_labels, copy_prompt, diff_versions, make_labels
    from cupel.api.quality import (
        Compared,
        Evaluation,
        JudgeCheck,
        Routing,
        acompare,
        aevaluate,
        ajudge_check,
        compare,
        evaluate,
        evaluate_routing,
        failures,
        freeze_failures,
        judge_check,
    )
    from cupel.api.runs import Report, list_runs, outcomes, write_report
    from cupel.api.tasks import ListedTask, list_tasks
else:
    __getattr__ = late(__name__)
