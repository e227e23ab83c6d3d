"""What reaches the terminal: words and our own colours. Text from files, models and errors is shown there, it never acts.

Standard output and error stand behind a filter while a command runs, so that it holds for every text by whatever way: an error, a
warning of a library, a file's name. Only rich's consoles and `say` write past it: they show foreign text themselves, and put colours around it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from cupel._format import safe

if TYPE_CHECKING:
    from rich.console import Console


class ShowingStream:
    """A text stream on which no control character but the end of a line arrives.

    Args:
        raw: The stream behind it.
    """

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def write(self, text: str) -> int:
        """Write a text; what would act on a terminal becomes a sign for it."""
        self.raw.write(shown(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)


def shown(text: str) -> str:
    r"""The text as a terminal may have it.

    >>> shown("a\tb\r\n\x1b[2Jc")
    'a    b␍\n␛[2Jc'
    """
    return text if text.isprintable() else safe(text.replace("\t", "    "))


@contextmanager
def show_only() -> Iterator[None]:
    """Stand the filter before standard output and error."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = ShowingStream(before[0]), ShowingStream(before[1])
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def console_on(stream: Any, **how: Any) -> Console:
    """A console of rich's that writes to a stream as it is, every text in it shown."""
    return _class()(file=behind(stream), **how)


def behind(stream: Any) -> Any:
    """The stream as it is, for those who show what is foreign themselves and colour it."""
    return stream.raw if isinstance(stream, ShowingStream) else stream


@cache
def _class() -> type[Console]:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class ShowingConsole(Console):
        """Takes every segment as text; the colours are put around it later."""

        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterator[Segment]:
            for segment in super().render(renderable, options):
                text = segment.text if segment.control else shown(segment.text)
                yield segment if text is segment.text else Segment(text, segment.style)

    return ShowingConsole
