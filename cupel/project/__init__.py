"""The folder a command stands in: its langgraph.json, prompts and state, and whether its code may run."""

from cupel.project.folder import (
    CONFIG,
    Project,
    code_identity,
    find_project,
    graph_entries,
    load_graph,
    starter_folder,
)
from cupel.project.trust import TRUST_VARIABLES, is_trusted, trust
