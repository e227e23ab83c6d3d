"""A model id's GGUF file, and what its header says: read before anything is loaded, so that a bad file is a sentence.

The format: github.com/ggml-org/ggml, docs/gguf.md.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from math import ceil, prod
from pathlib import Path
from typing import Any

from cupel.errors import SettingError

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MOST_ENTRIES = 1_000_000
_MOST_VALUES, _DEEPEST = 10_000_000, 4
_NUMBERS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_STRING, _ARRAY = 8, 9
_BLOCKS: Mapping[int, tuple[int, int]] = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 10: (256, 84),
    11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 16: (256, 66), 17: (256, 74), 18: (256, 98),
    19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4),
    27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip
"""Weights in a block and its bytes, by the type of a tensor; of a type that is not here nothing is taken for granted."""

_CACHE_BYTES = 2
"""Of a number in the cache of keys and values: half precision."""

_BEGINNING_BYTES = 4_000_000
_SAMPLES, _SAMPLE_BYTES = 256, 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufFile:
    """A whole GGUF file of a language model."""

    path: Path
    bytes: int
    name: str
    architecture: str
    trained_context: int
    """Tokens it was trained on at most; 0 where it does not say."""

    bytes_per_token: int
    """Of the cache of keys and values; 0 where the header does not tell."""

    fingerprint: str
    """Tells these weights from others: of the size, the beginning, and blocks from all over the file."""


class _BrokenError(ValueError):
    """The header does not go on as it has to."""


def find_file(name: str) -> Path:
    """The file of `gguf:NAME`: a path that ends in `.gguf`, or a package with one such file.

    Raises:
        SettingError: There is none, or a package has several.
    """
    if name.lower().endswith(".gguf") or "/" in name or "\\" in name:
        path = Path(name).expanduser()
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise SettingError(f"gguf:{name}: {what}; name a file that ends in .gguf")
        return path.resolve()
    module = name.replace("-", "_")
    spec = find_spec(module) if module.isidentifier() else None
    folders = list(spec.submodule_search_locations or ()) if spec else []
    found = sorted(path for folder in folders for path in Path(folder).rglob("*.gguf"))
    if not found:
        why = "has no .gguf file" if spec else "is neither a file that ends in .gguf nor an installed package"
        raise SettingError(
            f"gguf:{name}: {name!r} {why}; give a path, such as gguf:models/my-model-Q4_K_M.gguf"
        )
    if len(found) > 1:
        raise SettingError(f"gguf:{name}: the package has {len(found)} models; name one: gguf:{found[0]}")
    return found[0]


def read_file(path: Path) -> GgufFile:
    """What a file's header says, and whether all of the file is there.

    Raises:
        SettingError: It is no GGUF file, of another version, broken, cut off, or no language model.
    """
    try:
        size = path.stat().st_size
        if size < 24:
            raise SettingError(f"{path}: {size} bytes are no GGUF file; was the download cut off?")
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _read(path, data)
    except OSError as error:
        raise SettingError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, OverflowError, struct.error) as error:
        raise SettingError(f"{path}: the header is broken ({error}); download the file again") from None


def _read(path: Path, data: mmap.mmap) -> GgufFile:
    magic, version, tensors, entries = struct.unpack_from("<4sIQQ", data, 0)
    if magic != _MAGIC:
        what = _foreign(bytes(data[:24]))
        raise SettingError(
            f"{path} is no GGUF file{what}; convert it with llama.cpp's convert_hf_to_gguf.py, or download a .gguf"
        )
    if version not in _VERSIONS:
        raise SettingError(
            f"{path} is GGUF of version {version}; versions {_VERSIONS[0]} and {_VERSIONS[1]} can be read"
        )
    if tensors > _MOST_ENTRIES or entries > _MOST_ENTRIES:
        raise _BrokenError(f"{tensors} tensors and {entries} entries")
    reader = _Reader(data, 24)
    about = {reader.text(): reader.value() for _ in range(entries)}
    end = max((reader.tensor_end() for _ in range(tensors)), default=0)
    alignment = int(about.get("general.alignment") or 32)
    missing = ceil(reader.at / alignment) * alignment + end - len(data)
    if missing > 0:
        raise SettingError(f"{path} is cut off: {missing:,} of its bytes are missing; download it again")
    return _language_model(path, data, about)


def _fingerprint(data: mmap.mmap) -> str:
    """Twelve hexadecimal digits; weights of gigabytes are sampled, since reading them all would take as long as loading them.

    A file of another training, quantisation or template differs in the samples: weights differ everywhere, templates stand at the
    beginning.
    """
    digest = hashlib.sha256(len(data).to_bytes(8, "little"))
    digest.update(data[:_BEGINNING_BYTES])
    step = max(len(data) // _SAMPLES, _SAMPLE_BYTES)
    for start in range(_BEGINNING_BYTES, len(data), step):
        digest.update(data[start : start + _SAMPLE_BYTES])
    return digest.hexdigest()[:12]


def _language_model(path: Path, data: mmap.mmap, about: Mapping[str, Any]) -> GgufFile:
    kind = str(about.get("general.architecture") or "")
    if not kind or "tokenizer.ggml.model" not in about or f"{kind}.block_count" not in about:
        raise SettingError(
            f"{path} is a GGUF file of {kind or 'nothing named'}, but no language model with a tokenizer of its own; "
            "an adapter, a projector or one part of several is none"
        )

    def number(name: str) -> int:
        value = about.get(f"{kind}.{name}")
        return int(value) if isinstance(value, int) else 0

    heads, width = number("attention.head_count"), number("embedding_length")
    a_head = width // heads if heads else 0
    kept = (number("attention.key_length") or a_head) + (number("attention.value_length") or a_head)
    return GgufFile(
        path=path,
        bytes=len(data),
        name=str(about.get("general.name") or path.stem),
        architecture=kind,
        trained_context=number("context_length"),
        bytes_per_token=number("block_count")
        * (number("attention.head_count_kv") or heads)
        * kept
        * _CACHE_BYTES,
        fingerprint=_fingerprint(data),
    )


def _foreign(start: bytes) -> str:
    kinds = {
        b"PK": "a zip archive, as PyTorch writes",
        b"\x80": "a pickle of PyTorch",
        b"<": "a web page",
        b"ggjt": "GGML, its forerunner",
    }
    named = next((kind for sign, kind in kinds.items() if start.startswith(sign)), "")
    if start[8:10] == b'{"':
        named = "safetensors"
    if start.startswith(b"version https://gi"):
        named = "a pointer of Git LFS; fetch the file itself with `git lfs pull`"
    return f" but {named}" if named else ""


class _Reader:
    """Reads on from a place in a header, and never beyond the file."""

    def __init__(self, data: mmap.mmap, at: int) -> None:
        self.data, self.at = data, at

    def number(self, form: str) -> Any:
        value = struct.unpack_from(form, self.data, self.at)[0]
        self.at += struct.calcsize(form)
        return value

    def text(self) -> str:
        return self._skip(self.number("<Q")).decode("utf-8", "replace")

    def _skip(self, count: int) -> bytes:
        start = self.at
        if count > len(self.data) - start:
            raise _BrokenError(f"{count:,} bytes at byte {start:,} of {len(self.data):,}")
        self.at += count
        return self.data[start : self.at]

    def value(self) -> Any:
        kind = self.number("<I")
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            self._array()
            return None
        return self.number(self._form(kind))

    def _array(self, depth: int = 0) -> None:
        """Passed over: vocabularies are long, and nobody here asks what is in them."""
        kind, count = self.number("<I"), self.number("<Q")
        if kind in (_STRING, _ARRAY) and (count > _MOST_VALUES or depth > _DEEPEST):
            raise _BrokenError(f"a list of {count:,} values at byte {self.at:,}")
        if kind == _STRING:
            for _ in range(count):
                length = struct.unpack_from("<Q", self.data, self.at)[0]
                self.at += 8 + length
        elif kind == _ARRAY:
            for _ in range(count):
                self._array(depth + 1)
        else:
            self._skip(count * struct.calcsize(self._form(kind)))

    def _form(self, kind: int) -> str:
        if kind not in _NUMBERS:
            raise _BrokenError(f"a value of kind {kind} at byte {self.at:,}")
        return _NUMBERS[kind]

    def tensor_end(self) -> int:
        """Where the next tensor ends, from the beginning of all of them; where it begins, for a type nobody knows here."""
        self.text()
        sizes = [self.number("<Q") for _ in range(min(self.number("<I"), 8))]
        kind, start = self.number("<I"), self.number("<Q")
        block, taken = _BLOCKS.get(kind, (1, 0))
        return int(start + prod(sizes) // block * taken)
