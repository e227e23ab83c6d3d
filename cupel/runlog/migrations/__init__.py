"""Numbered changes of the run log's tables."""
