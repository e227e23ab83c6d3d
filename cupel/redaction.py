"""Keys and passwords of this environment, taken out of what comes from outside and of what an exception says.

Two kinds of text, two ways. What a provider answers is data: only what is known to be a secret here is masked in
it, one character for one, so that a document that speaks of keys stays as it is. What an error says is for reading:
what merely looks like a credential goes too, for it may be somebody else's.
"""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

HIDDEN = "***"

_SECRET_NAME = re.compile(
    r"SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|(?:^|_)(?:KEY|TOKEN|PASS|PWD|PAT|CREDENTIALS?|AUTH)$",
    re.IGNORECASE,
)
_FOLDERS = frozenset({"PWD", "OLDPWD"})
_STANDINS = frozenset(
    {
        *(
            "anything",
            "changeme",
            "dummy",
            "empty",
            "lm-studio",
            "no-key",
            "no-key-needed",
            "none",
            "not-needed",
        ),
        *("ollama", "password", "placeholder", "postgres", "secret", "sk-no-key-required", "token-abc123"),
    }
)
"""What local servers want to see in place of a key: words of any text."""

_HEADERS = "OPENAI_CUSTOM_HEADERS"
_STRONG, _LONG, _WEAK = 8, 20, 6
"""Characters from which a value with letters and digits, or any value, is looked for everywhere; and a word in errors."""

_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    # an address with a name and password, be it as it should not be written, or with a token in place of a name
    (re.compile(r"(://[^\s:/@'\"<>]{0,200}:)(?!\d{1,5}/)[^\s'\"<>]{1,300}@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(://)[^\s:/@'\"<>]{12,300}@"), rf"\1{HIDDEN}@"),
    (
        re.compile(
            r"((?:^|[?&;\s,({\"'])[\w-]{0,40}(?:api[_-]?key|access[_-]?token|token|password|passwd|pwd|secret|signature)"
            r"[\"']?=[\"']?)[^&\s\"'#;,)}]+",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    (
        re.compile(
            r"((?:authorization|x-api-key|api-key|apikey|x-auth-token|set-cookie|cookie)\\?[\"']?\s{0,3}[:=,]\s{0,3}\\?[\"']?"
            r"(?:(?:bearer|basic|token|digest)\s{1,3})?)[^\s\"',;\\})\]]{4,}",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b((?:bearer|basic)\s{1,3})(?=\S{0,100}\d)[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1{HIDDEN}"),
    (
        re.compile(
            r"\b(?:sk|gsk|pk|rk|lsv2|hf|ghp|gho|ghs|github_pat|glpat|xox[abp])[-_](?=\S{0,100}\d)[\w*-]{12,}"
        ),
        HIDDEN,
    ),
)


_LONGEST = 300
"""Characters of a secret that are looked for in escapes: what follows them tells nothing by itself."""


class _Known:
    """What is a secret in this process: it only grows, for a key that was changed is no less secret."""

    def __init__(self, strong: frozenset[str] = frozenset(), weak: frozenset[str] = frozenset()) -> None:
        self.strong, self.weak = strong, weak
        needles = {form for secret in strong for form in _forms(secret) if len(form) >= _STRONG}
        needles |= {f"{scheme} {word}" for word in weak for scheme in ("Bearer", "bearer")}
        # the longest first: of two that overlap, nothing is left over
        self.needles = tuple(sorted(needles, key=lambda needle: (-len(needle), needle)))
        self.raw = tuple(needle.encode("utf-8", "surrogateescape") for needle in self.needles)
        self.pattern = re.compile("|".join(map(re.escape, self.needles)))
        self.escaped = re.compile(
            "|".join(
                _in_escapes(secret) for secret in sorted(strong, key=lambda secret: (-len(secret), secret))
            )
        )
        self.raw_pattern = re.compile(b"|".join(map(re.escape, self.raw)))
        words = sorted(weak, key=lambda word: (-len(word), word))
        self.words = (
            re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, words))})(?![A-Za-z0-9])")
            if words
            else None
        )


_known = _Known()
_remembering = threading.Lock()


def remember_secrets(env: Mapping[str, str]) -> None:
    """Note what is secret in an environment: keys, tokens, passwords, and credentials in addresses."""
    global _known  # noqa: PLW0603  # a process has one environment; what is secret in it is asked at every reply
    strong, weak = set(), set()
    for secret in _secrets_in(env):
        if _is_strong(secret):
            strong.add(secret)
        elif len(secret) >= _WEAK and secret.lower() not in _STANDINS:
            weak.add(secret)
    with _remembering:
        if not (strong <= _known.strong and weak <= _known.weak):
            _known = _Known(_known.strong | strong, _known.weak | weak)


def mask(text: str) -> str:
    """What a model or a file says, with `*` for each character of a known secret: offsets stay.

    >>> remember_secrets({"GROQ_API_KEY": "gsk_doctest_4711"})
    >>> mask("You sent gsk_doctest_4711, and sk-example-1234567890.")
    'You sent ****************, and sk-example-1234567890.'
    """
    return _replace(text, _known, _stars)


def mask_bytes(content: bytes) -> bytes:
    """A reply as it came, with `*` for each byte of a known secret, in whichever common encoding it stands there."""
    known = _known
    if any(needle in content for needle in known.raw):
        return known.raw_pattern.sub(lambda found: b"*" * len(found[0]), content)
    return content


def mask_values(value: Any) -> Any:
    """JSON with every text in it masked, keys of objects too."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {mask_values(name): mask_values(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [mask_values(inner) for inner in value]
    return value


def redact(text: str) -> str:
    """What an error says, without known secrets and without anything of the shape of a credential.

    >>> redact("http://me:hunter2@proxy:3128 said 407; Authorization: Bearer abc.def; ?api_key=x1&n=2")
    'http://me:***@proxy:3128 said 407; Authorization: Bearer ***; ?api_key=***&n=2'
    """
    known = _known
    text = _replace(text, known, lambda _: HIDDEN)
    if known.words is not None:
        text = known.words.sub(HIDDEN, text)
    for shape, shown in _SHAPES:
        text = shape.sub(shown, text)
    return text


def _replace(text: str, known: _Known, shown: Callable[[re.Match[str]], str]) -> str:
    if any(needle in text for needle in known.needles):
        text = known.pattern.sub(shown, text)
    if known.strong and "\\u" in text:
        text = known.escaped.sub(shown, text)
    return text


def _in_escapes(secret: str) -> str:
    r"""A pattern of the secret with any of its characters as `\u0041`, as JSON and what quotes it may write them."""
    return "".join(
        rf"(?:{re.escape(sign)}|\\{{1,4}}[uU]{_any_case(f'{ord(sign):04x}')})" for sign in secret[:_LONGEST]
    )


def _any_case(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)


def _stars(found: re.Match[str]) -> str:
    return "*" * len(found[0])


def _is_strong(secret: str) -> bool:
    """Whether no text holds it by chance."""
    if secret.lower() in _STANDINS:
        return False
    mixed = any(char.isdigit() for char in secret) and any(char.isalpha() for char in secret)
    return len(secret) >= _LONG or (len(secret) >= _STRONG and mixed)


def _secrets_in(env: Mapping[str, str]) -> Iterator[str]:
    for name, value in env.items():
        value = value.strip()  # noqa: PLW2901  # so it is sent
        if not value.strip("*"):
            continue
        if _SECRET_NAME.search(name) and name not in _FOLDERS and not value.startswith(("/", "~", "./")):
            yield value
        elif name == _HEADERS:
            for line in value.splitlines():
                said = line.partition(":")[2].strip()
                yield from (said, said.rpartition(" ")[2])
        if "://" in value or "=" in value:
            yield from _credentials(value)


def _credentials(address: str) -> Iterator[str]:
    """Name and password, and secret parameters, of an address or a connection string; of a malformed one, too."""
    rest = address.partition("://")[2]
    at = rest.rpartition("@")[0]
    user, colon, password = at.partition(":")
    if colon:
        yield from (password, unquote(password))
    elif at and "/" not in at and _is_strong(user):
        yield from (user, unquote(user))
    try:
        query = urlsplit(address).query
    except ValueError:
        query = address.partition("?")[2]
    for name, value in parse_qsl(query, keep_blank_values=False):
        if _SECRET_NAME.search(name):
            yield value
    for stated in re.finditer(r"\bpassword\s*=\s*'?([^\s'&]+)", address):
        yield stated[1]


def _forms(secret: str) -> Iterable[str]:
    """A secret as it is written in plain text, JSON, addresses, HTML, Python and, at any place of it, in base64."""
    for written in (
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(secret)[1:-1])[1:-1],
        json.dumps(json.dumps(secret, ensure_ascii=False)[1:-1], ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        html.escape(secret),
        html.escape(secret, quote=False),
    ):
        yield from (written, written.replace("/", "\\/"))
    for written in (_quoted(secret), _quoted(secret, safe=""), _quoted(secret, safe="").replace("%20", "+")):
        yield from (written, re.sub(r"%..", lambda escape: escape[0].lower(), written))
    for core in _base64_cores(secret.encode("utf-8", "surrogateescape")):
        yield from (
            core,
            core.replace("/", "\\/"),
            core.replace("+", "-").replace("/", "_"),
            quote(core, safe=""),
        )


def _quoted(secret: str, safe: str = "/") -> str:
    return quote(secret, safe=safe, errors="surrogateescape")


def _base64_cores(secret: bytes) -> Iterator[str]:
    """The part of its base64 that does not depend on what stands before and behind it, as in `Basic` and `name:key`."""
    for before, skipped in ((0, 0), (1, 2), (2, 3)):
        whole = base64.b64encode(b"\0" * before + secret).decode()
        yield whole[skipped : (before + len(secret)) * 8 // 6]
