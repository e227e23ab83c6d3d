"""What a run did, for people: one HTML file per run, and tables for the terminal.

write_report(path, run, entries)          the page: totals, flow, histograms, every document with its trail
summary_table(run), documents_table(…)    the same totals in a terminal
document_trail(outcome, text)             one document's whole trail in a terminal (`cupel show`)
"""

from cupel.report.comparison import write_comparison
from cupel.report.page import MAX_DOCUMENTS, write_report
from cupel.report.routing_page import COLUMNS, number, routing_page
from cupel.report.summary import DocumentEntry, Expected, Planned, PlannedTier, RunSummary
from cupel.report.text import document_trail, safe, summary_table
