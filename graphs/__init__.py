"""The graphs: one file each, the flow drawn on top."""
