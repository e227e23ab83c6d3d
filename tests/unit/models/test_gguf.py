"""A GGUF file is looked at before it is loaded, and its engine is a process that never outlives this one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cupel.errors import SettingError, SetupError
from cupel.models import (
    CallSettings,
    ProviderCallError,
    aclose_models,
    asked_of,
    check_model,
    complete,
    price,
)
from cupel.models.gguf import EngineSettings, close_engines, count_tokens, open_engine, speeds
from cupel.models.gguf.file import find_file, read_file
from tests.conftest import ROOT
from tests.unit.models.gguf_files import ENTRIES, header, stand_in, text, whole

ASKED = [{"role": "user", "content": "three words here"}]


def test_a_whole_file_says_what_it_is(tmp_path):
    """Its name, what it was trained on, and what a token takes: two layers, two heads of 16, keys and values, half precision."""
    path = tmp_path / "tiny.gguf"
    path.write_bytes(whole())

    file = read_file(path)

    assert (file.name, file.architecture, file.trained_context) == ("Tiny", "llama", 512)
    assert file.bytes_per_token == 2 * 2 * 32 * 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "0 bytes are no GGUF file", id="empty"),
        pytest.param(b"PK\x03\x04" + b"x" * 99, "a zip archive, as PyTorch writes", id="a zip archive"),
        pytest.param(b"\x08\0\0\0\0\0\0\0" + b'{"a":' + b"x" * 99, "but safetensors", id="safetensors"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull", id="a pointer"),
        pytest.param(b"<!DOCTYPE html>" + b"x" * 99, "a web page", id="a web page"),
        pytest.param(b"nothing anybody knows" + b"x" * 99, "is no GGUF file;", id="foreign"),
        pytest.param(header(ENTRIES, version=1), "version 1", id="an older version"),
        pytest.param(whole()[:-200], "200 of its bytes are missing", id="cut off in the weights"),
        pytest.param(whole()[:120], "the header is broken", id="cut off in the header"),
        pytest.param(header(ENTRIES, tensors=2**40), "the header is broken", id="more tensors than any"),
        pytest.param(header({}) + text("a") + b"\xff" * 8, "the header is broken", id="an entry without end"),
        pytest.param(
            header({"general.architecture": "clip"}, 0) + b"\0" * 64, "no language model", id="a projector"
        ),
    ],
)
def test_what_is_no_usable_file_is_a_sentence(tmp_path, content, said):
    """It names the file, what is wrong with it, and what to do; nothing is loaded."""
    path = tmp_path / "model.gguf"
    path.write_bytes(content)

    with pytest.raises(SettingError) as caught:
        read_file(path)

    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_no_byte_of_a_header_makes_more_than_a_sentence(tmp_path):
    """Each byte set to each of a few values: a file, or a SettingError, at once."""
    good = whole()
    path = tmp_path / "model.gguf"
    for at in range(len(good) - 256):
        for value in (0x09, 0xFF):
            path.write_bytes(good[:at] + bytes([value]) + good[at + 1 :])
            with contextlib.suppress(SettingError):
                read_file(path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing_of_this_name", "neither a file that ends in .gguf nor an installed package"),
        ("json", "has no .gguf file"),
        ("/nowhere/model.gguf", "does not exist"),
    ],
)
def test_a_name_that_leads_nowhere_is_a_sentence(name, said):
    """A path, or a package with weights; what is neither is told apart."""
    with pytest.raises(SettingError, match=said):
        find_file(name)


def test_a_package_of_weights_is_a_model(tmp_path, monkeypatch):
    """One file in it is its model; of several none is guessed."""
    package = tmp_path / "some_weights"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "a.gguf").write_bytes(whole())
    monkeypatch.syspath_prepend(tmp_path)

    assert find_file("some-weights") == package / "a.gguf"
    (package / "b.gguf").write_bytes(whole())
    with pytest.raises(SettingError, match="2 models"):
        find_file("some_weights")


@pytest.mark.parametrize("text", ["many", "-1", "0", "1e3", "9" * 30])
def test_a_setting_that_is_no_number_names_itself(text):
    """The variable, its value, and the least there is."""
    with pytest.raises(SettingError, match=r"CUPEL_GGUF_CONTEXT=.*whole number from 256"):
        EngineSettings.of({"CUPEL_GGUF_CONTEXT": text})


@pytest.fixture
async def engines(tmp_path, monkeypatch):
    """A folder for files, with an engine that is none."""
    where = stand_in(tmp_path / "lib")
    monkeypatch.setenv("PYTHONPATH", str(where))
    monkeypatch.syspath_prepend(where)
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    monkeypatch.delitem(sys.modules, "xllamacpp")
    yield tmp_path
    await aclose_models()
    close_engines()


def model(folder: Path, content: bytes | None = None, name: str = "m.gguf") -> str:
    """A file and its id."""
    (folder / name).write_bytes(whole() if content is None else content)
    return f"gguf:{folder / name}"


async def ask(model_id: str, said: str = "three words here") -> dict[str, int]:
    """One call."""
    settings = CallSettings(max_output_tokens=7, timeout_s=20)
    answer = await complete(model_id, [{"role": "user", "content": said}], settings=settings)
    told: dict[str, int] = json.loads(answer.text)
    return told


async def test_one_engine_answers_all_calls_of_a_file(engines, monkeypatch):
    """The context is what the file was trained on, for each of those at once; tokens are counted, and nothing is billed."""
    made = model(engines)
    monkeypatch.setenv("CUPEL_GGUF_AT_ONCE", "3")

    first, *others = [await ask(made), *await asyncio.gather(*(ask(made) for _ in range(5)))]

    assert first["max_tokens"] == 7
    assert first["n_ctx"] == 3 * 512
    assert {told["pid"] for told in others} == {first["pid"]} != {os.getpid()}
    assert speeds()[made]["tokens"] == 6 * 5
    assert price(made).output == 0


async def test_another_file_under_the_same_name_is_another_model(engines, monkeypatch):
    """So is another chat template; the same bytes elsewhere, or read again, are the same weights."""
    made, tail = model(engines), bytes(200)
    first = asked_of(made)
    close_engines()

    copied = asked_of(model(engines, name="copy.gguf")).rpartition("@")[2]
    again = asked_of(made)
    monkeypatch.setenv("CUPEL_GGUF_CHAT_TEMPLATE", "chatml")
    templated = asked_of(made)
    monkeypatch.delenv("CUPEL_GGUF_CHAT_TEMPLATE")
    close_engines()
    model(engines, whole()[:-200] + b"\x01" + tail[1:])

    assert first == again != templated
    assert copied == first.rpartition("@")[2] != ""
    assert asked_of(made) not in (first, templated)


async def test_tokens_are_counted_by_the_models_own_tokenizer(engines):
    """What the engine says, not an estimate."""
    engine = open_engine(model(engines).partition(":")[2])
    assert await count_tokens(engine, ASKED) == 3


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("refuses", "unknown model architecture: 'odd'", id="it says no"),
        pytest.param("aborts", "GGML_ASSERT failed", id="it takes its process with it"),
    ],
)
async def test_what_cannot_be_loaded_is_a_sentence(engines, name, said):
    """With llama.cpp's own words in it; this process lives."""
    with pytest.raises(SetupError, match="could not load") as caught:
        await ask(model(engines, whole(name)))

    assert said in str(caught.value)


async def test_an_engine_that_ended_is_started_again(engines):
    """The call that ended it fails; the next one is answered, by another process."""
    made = model(engines)
    before = await ask(made)
    with pytest.raises(ProviderCallError):
        await ask(made, "die")

    assert (await ask(made))["pid"] != before["pid"]


async def test_calls_at_once_wait_for_one_engine_to_be_loaded_again(engines):
    """After it was closed, none of them goes where the old one was, and no second one is started."""
    made = model(engines)
    before = await ask(made)
    close_engines()
    pids = {told["pid"] for told in await asyncio.gather(*(ask(made) for _ in range(5)))}

    assert len(pids) == 1
    assert pids != {before["pid"]}
    assert open_engine(made.partition(":")[2]).is_up
    close_engines()
    assert not any(map(is_there, pids))


async def test_an_engine_that_always_ends_is_given_up(engines):
    """Three starts are enough to know."""
    made = model(engines)

    async def end_them() -> None:
        for _ in range(20):  # that one ended may be seen a moment later
            with contextlib.suppress(ProviderCallError):
                await ask(made, "die")

    with pytest.raises(SetupError, match="ended 3 times"):
        await end_them()


def test_too_little_memory_is_a_sentence_before_anything_is_loaded(engines, monkeypatch):
    """What it needs, what there is, and what to set."""
    monkeypatch.setattr("cupel.models.gguf.engine._free_bytes", lambda: 1_000_000)
    with pytest.raises(SetupError, match=r"needs about 0\.2 GB .* set CUPEL_GGUF_CONTEXT"):
        open_engine(model(engines).partition(":")[2])


def test_a_model_without_the_engine_names_the_extra(tmp_path, monkeypatch):
    """The file may be good."""
    made = model(tmp_path)
    monkeypatch.setattr("cupel.models.gguf.engine.find_spec", lambda name: None)
    with pytest.raises(SettingError, match=r"pip install 'cupel\[gguf\]'"):
        check_model("cheap", made)


def test_the_engine_sees_no_key_and_ends_with_who_started_it(engines):
    """Killed at once, its parent leaves no process behind."""
    made = model(engines)
    script = (
        "import asyncio, sys\n"
        "from cupel.models import complete\n"
        "answer = asyncio.run(complete(sys.argv[1], [{'role': 'user', 'content': 'x'}]))\n"
        "print(answer.text, flush=True)\n"
        "import time; time.sleep(60)\n"
    )
    env = os.environ | {"OPENAI_API_KEY": "sk-never-passed-on"}
    with subprocess.Popen(
        [sys.executable, "-c", script, made], env=env, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        pid = json.loads(parent.stdout.readline())["pid"]
        if Path("/proc").is_dir():
            assert b"sk-never-passed-on" not in Path(f"/proc/{pid}/environ").read_bytes()
        parent.send_signal(signal.SIGKILL)
    until = time.monotonic() + 5
    while time.monotonic() < until and is_there(pid):
        time.sleep(0.02)

    assert not is_there(pid)


def is_there(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
