"""How a model is asked: what makes a chat model of the same id another one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettings:
    """How to ask."""

    temperature: float = 0.0
    """Left out for models that refuse one."""

    max_output_tokens: int = 4096
    timeout_s: float = 120.0
    """For one call, from the connection to the last byte."""

    logprobs: bool = False
    """Ask for token log-probabilities, where the model has them."""

    alternatives: int = 0
    """And for as many of the likeliest tokens in the place of each."""


DEFAULT_SETTINGS = CallSettings()
