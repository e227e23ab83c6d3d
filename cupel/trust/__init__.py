"""What is not taken on trust: where a project's `.env` sends keys, what an address is, who may read what is kept."""

from cupel.trust.environment import (
    address_problem,
    adopt_variables,
    announce_destination,
    host_of,
    note_variables,
    read_by_project,
    read_variables,
)
from cupel.trust.private_files import FILE, make_folder, open_private, readable_by_others, write_private
