"""What a run did, for people: one HTML file per run, and tables for the terminal.

write_run_report(project, run_id, …)      the page: totals, flow, histograms, every document with its trail
read_run_use(project, run_id)             what a run took, beside its plan
summary_table(run)                        the same totals in a terminal
draw_chart(rows, kind, …)                 a picture of records, as SVG, PNG or HTML
document_trail(outcome, text)             one document's whole trail in a terminal (`cupel show`)
"""

from cupel._format import safe
from cupel.report.charts import KINDS, Chart, draw_chart, possible_kinds
from cupel.report.charts.chart import FORMATS as CHART_FORMATS
from cupel.report.charts.rows import Rows as ChartRows
from cupel.report.comparison import tell_gold, write_comparison
from cupel.report.page import MAX_DOCUMENTS
from cupel.report.routing_page import COLUMNS, number, routing_page
from cupel.report.run_report import RunUse, read_run_use, rewrite_run_report, write_run_report
from cupel.report.summary import RunSummary
from cupel.report.text import document_trail, summary_table
