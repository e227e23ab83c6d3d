"""A file through a deployed server: each row a thread of its own there, asked for by an id that is the same every time.

    row ── thread id (from run, document, settings, key) ──→ server: done? fetched · under way? joined · else begun
                                                               │
    run log here: the outcome, committed  ←── every word of it ┘

What a lost client had sent goes on at the server, and is fetched by the same command; what a lost server had begun goes on
there once it is back. Which models are asked, and what they cost, is the server's business.
"""

from cupel.runs.server.connection import KEY_VARIABLE, Server, check_server, read_key
from cupel.runs.server.offer import Offer, ask_offer
from cupel.runs.server.runner import ServerRunner
