"""A provider that bills as five kinds of provider do, and keeps its own account, in whole picodollars."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cupel.testing.provider import ScriptedProvider
from cupel.testing.replies import RawReply

MODEL = "openai:m"
IN, OUT, CACHED, WRITTEN = 2, 8, 0.2, 2.5
"""US dollars per million tokens, which are picodollars a token times a million."""

PRICES = {"CUPEL_PRICES": f"{MODEL}={IN}/{OUT}/{CACHED}/{WRITTEN}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one call took: prompt tokens by how they were come by, and the reply's with those it thought."""

    fresh: int
    read: int
    written: int
    said: int
    thought: int

    @property
    def prompt(self) -> int:
        """All tokens of the prompt."""
        return self.fresh + self.read + self.written

    @property
    def usd(self) -> float:
        """What it comes to by the price list."""
        prompt = self.fresh * IN + self.read * CACHED + self.written * WRITTEN
        return (prompt + (self.said + self.thought) * OUT) / 1e6


def openai(work: Work) -> tuple[dict[str, Any], float]:
    """Everything counted in: cached, written and thought tokens are parts of the two counts."""
    output = work.said + work.thought
    return {
        "prompt_tokens": work.prompt,
        "completion_tokens": output,
        "total_tokens": work.prompt + output,
        "prompt_tokens_details": {"cached_tokens": work.read, "cache_write_tokens": work.written},
        "completion_tokens_details": {"reasoning_tokens": work.thought},
    }, work.usd


def xai(work: Work) -> tuple[dict[str, Any], float]:
    """Thoughts beside the reply: only the total and the details show them."""
    return {
        "prompt_tokens": work.prompt,
        "completion_tokens": work.said,
        "total_tokens": work.prompt + work.said + work.thought,
        "prompt_tokens_details": {"cached_tokens": work.read, "cache_write_tokens": work.written},
        "completion_tokens_details": {"reasoning_tokens": work.thought},
    }, work.usd


def openrouter(work: Work) -> tuple[dict[str, Any], float]:
    """It says what it billed, which is not what the list says."""
    billed = 1.7 * work.usd
    return {**openai(work)[0], "cost": billed, "is_byok": False}, billed


def anthropic(work: Work) -> tuple[dict[str, Any], float]:
    """What the cache had or got is counted beside the prompt."""
    return {
        "input_tokens": work.fresh,
        "cache_read_input_tokens": work.read,
        "cache_creation_input_tokens": work.written,
        "output_tokens": work.said + work.thought,
    }, work.usd


def texts(work: Work) -> tuple[dict[str, Any], float]:
    """Counts as texts and floats, cache hits by a name of its own, no total; nothing is written to a cache."""
    plain = Work(
        fresh=work.fresh + work.written, read=work.read, written=0, said=work.said, thought=work.thought
    )
    return {
        "prompt_tokens": str(plain.prompt),
        "prompt_cache_hit_tokens": float(plain.read),
        "completion_tokens": f"{plain.said + plain.thought}.0",
    }, plain.usd


DIALECTS: Mapping[str, Callable[[Work], tuple[dict[str, Any], float]]] = {
    write.__name__: write for write in (openai, xai, openrouter, anthropic, texts)
}


@dataclass(slots=True)
class Biller:
    """Answers requests in one dialect and keeps the bill; `work` says what a call took."""

    dialect: str
    work: Callable[[int], Work]
    reply: Any = "{}"
    bill: list[float] = field(default_factory=list)

    def __call__(self, body: dict[str, Any]) -> RawReply:
        """One answer, billed."""
        usage, usd = DIALECTS[self.dialect](self.work(len(self.bill)))
        self.bill.append(usd)
        said = self.reply(body) if callable(self.reply) else self.reply
        message = {"role": "assistant", "content": said}
        return RawReply(
            body={
                "model": body["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": usage,
            }
        )

    def provider(self, **more: Any) -> ScriptedProvider:
        """A provider that answers so."""
        return ScriptedProvider(self, **more)


def thinking(seed: int, *, most_thoughts: int) -> Callable[[int], Work]:
    """What calls took that think up to so many tokens; the first of them thinks the most."""
    draw = random.Random(seed)

    def work(number: int) -> Work:
        return Work(
            fresh=draw.randint(1, 20), read=draw.randint(0, 20), written=draw.randint(0, 20),
            said=draw.randint(1, 50), thought=most_thoughts - (draw.randint(0, most_thoughts) if number else 0),
        )  # fmt: skip

    return work
