"""One command per file: its options and its help, light, so that `--help` is quick; the work is done one floor up."""

from cupel.cli.commands.assistants import assistants
from cupel.cli.commands.calibrate import calibrate
from cupel.cli.commands.charts import charts
from cupel.cli.commands.compare import compare
from cupel.cli.commands.doctor import doctor
from cupel.cli.commands.eval import evaluate
from cupel.cli.commands.evaluate_routing import evaluate_routing
from cupel.cli.commands.export import export
from cupel.cli.commands.failures import failures
from cupel.cli.commands.forget import forget
from cupel.cli.commands.improve import improve
from cupel.cli.commands.init import init
from cupel.cli.commands.judge_check import judge_check
from cupel.cli.commands.labels import labels
from cupel.cli.commands.plan import plan
from cupel.cli.commands.prompts import prompts
from cupel.cli.commands.report import report
from cupel.cli.commands.run import run
from cupel.cli.commands.runlog import runlog
from cupel.cli.commands.runs import runs
from cupel.cli.commands.serve import serve
from cupel.cli.commands.show import show
from cupel.cli.commands.tasks import tasks
from cupel.cli.commands.trust import trust
