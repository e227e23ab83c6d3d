"""The steps of the graphs: one verb per file, state in, partial state out."""
