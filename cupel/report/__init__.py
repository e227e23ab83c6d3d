"""What a run did, for people: one HTML file per run, and tables for the terminal.

write_report(path, run, entries)          the page: totals, flow, histograms, every document with its trail
summary_table(run), documents_table(…)    the same totals in a terminal
document_trail(outcome, text)             one document's whole trail in a terminal (`cupel show`)
"""

from cupel.report.page import write_report
from cupel.report.summary import DocumentEntry, Planned, RunSummary
from cupel.report.text import document_trail, documents_table, summary_table

__all__ = [
    "DocumentEntry",
    "Planned",
    "RunSummary",
    "document_trail",
    "documents_table",
    "summary_table",
    "write_report",
]
