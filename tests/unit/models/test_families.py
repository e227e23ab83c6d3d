"""Which models are kin."""

import pytest

from cupel.models.families import eligible, family


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("groq:openai/gpt-oss-20b", "gpt-oss"),
        ("openai:gpt-4o-mini", "gpt"),
        ("openai:o3-mini", "gpt"),
        ("groq:qwen/qwen3.8-27b", "qwen"),
        ("groq:llama-3.3-70b-versatile", "llama"),
        ("openrouter:meta-llama/llama-4-scout:free", "llama"),
        ("openrouter:anthropic/claude-sonnet-4.5", "claude"),
        ("openrouter:google/gemini-3.1-flash-lite", "gemini"),
        ("openrouter:mistralai/ministral-8b", "mistral"),
        ("openrouter:deepseek/deepseek-r1-distill-llama-70b", "deepseek"),
        ("local:codellama", "codellama"),
        ("local:my-own-7b", "my-own-7b"),
        ("recorded:demo-judge", "demo-judge"),
        ("offline:baseline", "baseline"),
    ],
)
def test_a_model_s_family_is_read_from_its_name(model, expected):
    """The provider says nothing of a family, and an unknown name is a family of its own."""
    assert family(model) == expected


def test_neither_the_writer_s_family_nor_the_judge_s_sits_in_a_jury():
    """They would see what they like to see."""
    jurors = ["groq:llama-4", "openai:gpt-5", "openrouter:x/gpt-oss-120b", "openrouter:anthropic/claude-4"]

    assert eligible(jurors, writer="groq:openai/gpt-oss-20b", judge="openai:gpt-4o-mini") == [
        jurors[0],
        jurors[3],
    ]
    assert eligible(jurors, writer="local:own", judge="") == jurors
