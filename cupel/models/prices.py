"""What a call costs: list prices from genai-prices, one's own from `CUPEL_PRICES`.

genai-prices carries its table in the package; nothing is fetched. Where a provider charges more beyond
a prompt length (from 128,000 tokens upwards), the lower tier is used: a window never gets that long.

What the list does not say is taken rather too dear than too cheap: a prompt token read from a cache as a fresh one, one
written to it at `WRITING` times a fresh one. That is what Anthropic asks for five minutes
(platform.claude.com/docs/en/build-with-claude/prompt-caching) and OpenAI since GPT-5.6; models before it ask nothing
and report no written tokens (platform.openai.com/docs/guides/prompt-caching). Where the list has a rate for writing
below that of a fresh token it is for keeping it, and comes on top: Gemini's (openrouter.ai/docs/features/prompt-caching).
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from cupel.errors import SettingError
from cupel.models.ids import ModelId

_FREE = ("offline", "recorded", "local", "gguf", "scripted")
_PER_MILLION = 1e-6
WRITING = 1.25
"""Price of a prompt token that is written to a cache, in fresh ones, where nobody says what it is."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per token."""

    input: float
    cached_input: float
    """For prompt tokens the provider had in its cache."""

    output: float
    cache_write: float | None = None
    """For prompt tokens the provider put into its cache; None where nobody says."""

    @property
    def written(self) -> float:
        """What a written token costs in all.

        >>> Price(4.0, 0.4, 20.0).written, Price(2.0, 0.2, 10.0, cache_write=0.5).written
        (5.0, 2.5)
        """
        if self.cache_write is None:
            return WRITING * self.input
        return self.cache_write if self.cache_write >= self.input else self.input + self.cache_write


class _Usage(Protocol):
    @property
    def input_tokens(self) -> int: ...
    @property
    def cached_tokens(self) -> int: ...
    @property
    def cache_write_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int: ...


def price(model_id: str, env: Mapping[str, str] = os.environ) -> Price | None:
    """The price of `model_id`; None when nobody has said what it costs.

    Models that run here, and replayed answers, cost nothing.

    Raises:
        SettingError: For an unknown provider, or `CUPEL_PRICES` that cannot be read.

    >>> price("openai:mine", {"CUPEL_PRICES": "openai:mine=0.05/0.40"})
    Price(input=5e-08, cached_input=5e-08, output=4e-07, cache_write=None)
    """
    return _price(model_id, env.get("CUPEL_PRICES", ""))


def cost(price: Price | None, usage: _Usage) -> float | None:
    """US dollars for one answer; None when the price is unknown.

    Args:
        price: What a token costs.
        usage: Anything with `input_tokens` (all of the prompt), `cached_tokens` and `cache_write_tokens` (those of it that
            were read from a cache, or written to one) and `output_tokens`.
    """
    if price is None:
        return None
    read, written = usage.cached_tokens, usage.cache_write_tokens
    fresh = max(0, usage.input_tokens - read - written)
    prompt = fresh * price.input + read * price.cached_input + written * price.written
    return prompt + usage.output_tokens * price.output


def estimate_tokens(text: str, *, json: bool = False) -> int:
    """Tokens of `text`, rather too many than too few: bytes / 4 for prose, bytes / 2.8 for JSON.

    Measured with o200k on English, French, Greek and Bulgarian, 4.57 to 6.11 bytes a token, and on JSON,
    2.86; characters / 4 would miss a third of the Greek tokens.

    >>> estimate_tokens("twelve bytes"), estimate_tokens("αβγδ")
    (3, 2)
    """
    return math.ceil(len(text.encode("utf-8", "replace")) / (2.8 if json else 4))


MAX_TOKENS = 1_000_000_000
"""More in one call is a mistake, and more than a column holds."""


def reported_tokens(value: Any) -> int:
    """A number of tokens as a provider reported it; 0 for what is no such number."""
    try:
        tokens = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0
    return int(tokens) if 0 < tokens <= MAX_TOKENS and not isinstance(value, bool) else 0


@functools.lru_cache(maxsize=256)
def _price(model_id: str, own: str) -> Price | None:
    parsed = ModelId.parse(model_id)
    own_price = _read_own(own).get(str(parsed))
    if own_price is not None:
        return own_price
    if parsed.provider in _FREE or parsed.name.endswith(":free"):
        return Price(0.0, 0.0, 0.0)
    return _list_price(parsed)


def _list_price(model: ModelId) -> Price | None:
    from genai_prices import data_snapshot

    try:
        _, info = data_snapshot.get_snapshot().find_provider_model(model.name, None, model.provider, None)
    except LookupError:
        return None
    prices = info.get_prices(datetime.now(tz=UTC))
    fresh, output = _usd(prices.input_mtok), _usd(prices.output_mtok)
    if fresh is None or output is None:
        return None
    cached = _usd(prices.cache_read_mtok)
    return Price(fresh, fresh if cached is None else cached, output, _usd(prices.cache_write_mtok))


def _usd(amount: Any) -> float | None:
    """Per token, from a plain or a tiered price per million."""
    base = getattr(amount, "base", amount)
    return None if base is None else float(base) * _PER_MILLION


@functools.lru_cache(maxsize=16)
def _read_own(text: str) -> dict[str, Price]:
    return dict(_read_entry(entry) for entry in filter(None, (part.strip() for part in text.split(","))))


def _read_entry(entry: str) -> tuple[str, Price]:
    name, _, text = entry.rpartition("=")
    numbers = [_amount(number) for number in text.split("/")]
    if len(numbers) not in (2, 3, 4) or not all(math.isfinite(number) and number >= 0 for number in numbers):
        raise SettingError(
            f"CUPEL_PRICES: {entry!r} is not `provider:model=INPUT/OUTPUT`, with `/CACHED` and then `/WRITTEN` behind it "
            "for prompt tokens read from a cache and written to one, in US dollars per million tokens"
        )
    fresh, output, *more = [number * _PER_MILLION for number in numbers]
    cached = more[0] if more else fresh
    return str(ModelId.parse(name)), Price(fresh, cached, output, more[1] if len(more) > 1 else None)


def _amount(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
