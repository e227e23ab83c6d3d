"""`gguf:` models: a GGUF file on this machine, through llama.cpp's server engine (docs/decisions/0041).

file.py      where a model id's file is, and what its header says: foreign, broken, truncated
settings.py  context, threads, GPU layers, chat template
child.py     the engine, in a process of its own
engine.py    one engine per file and process: opened, watched, closed
chat.py      the LangChain chat model
"""

from typing import TYPE_CHECKING

from cupel._late import late
from cupel.models.gguf.settings import EngineSettings, said

if TYPE_CHECKING:
    from cupel.models.gguf.chat import GgufChat, count_tokens
    from cupel.models.gguf.engine import Engine, check_file, close_engines, open_engine, speeds, weights_of
    from cupel.models.gguf.file import GgufFile, find_file, read_file
else:
    __getattr__ = late(__name__)
