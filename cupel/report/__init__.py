"""What a run did, for people: one HTML file per run, and tables for the terminal.

write_run_report(project, run_id, …)      the page: totals, flow, histograms, every document with its trail
read_run_use(project, run_id)             what a run took, beside its plan
summary_table(run)                        the same totals in a terminal
document_trail(outcome, text)             one document's whole trail in a terminal (`cupel show`)
"""

from cupel._format import safe
from cupel.report.comparison import tell_gold, write_comparison
from cupel.report.page import MAX_DOCUMENTS
from cupel.report.routing_page import COLUMNS, number, routing_page
from cupel.report.run_report import read_run_use, rewrite_run_report, write_run_report
from cupel.report.summary import RunSummary
from cupel.report.text import document_trail, summary_table
