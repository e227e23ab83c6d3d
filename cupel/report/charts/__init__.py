"""Pictures of records: counted, over time, as networks, in their text. Vega-Lite specifications, drawn with no browser."""

from cupel.report.charts.chart import KINDS, Chart, draw_chart, possible_kinds
