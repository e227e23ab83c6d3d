"""Fixtures for the tests of models: a clean environment, and a provider to talk to."""

import os
from pathlib import Path

import pytest

from cupel.models.recordings import set_recordings_folder
from cupel.testing.provider import ScriptedProvider

PREFIXES = ("CUPEL_", "OPENAI_", "GROQ_", "OPENROUTER_", "LOCAL_")


@pytest.fixture(autouse=True)
def _only_what_the_test_sets(monkeypatch, tmp_path):
    """No key, address or setting of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith(PREFIXES):
            monkeypatch.delenv(name)
    set_recordings_folder(tmp_path / "recordings")
    yield
    set_recordings_folder(None)


@pytest.fixture
def recordings(tmp_path) -> Path:
    """The folder `recorded:` models look in."""
    return tmp_path / "recordings"


@pytest.fixture
def serve(monkeypatch):
    """Start a provider and point every HTTP model at it; several may follow one another."""
    running = []

    def start(*args, **kwargs) -> ScriptedProvider:
        provider = ScriptedProvider(*args, **kwargs).__enter__()
        running.append(provider)
        for name, value in provider.environment().items():
            monkeypatch.setenv(name, value)
        return provider

    yield start
    for provider in running:
        provider.__exit__(None, None, None)
