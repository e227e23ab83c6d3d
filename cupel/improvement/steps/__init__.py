"""The steps of the improve graph: one file per node, whose stages the node calls by name."""
