"""A server's door: what its owner lets callers do, whose what is, and what it tells of itself."""

from cupel.serve.keys import Key, Use, create_key, list_keys, revoke_key
from cupel.serve.policy import FILE, Policy, read_policy, weak_points
