"""The folder a command stands in: its langgraph.json, prompts and state, what its `.env` may set, whether its code may run."""

from cupel.project.addresses import address_problem, host_of, is_nearby
from cupel.project.environment import (
    adopt_variables,
    announce_destination,
    announce_place,
    note_variables,
    read_by_project,
    read_variables,
)
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
from cupel.project.user import expand, user_name
