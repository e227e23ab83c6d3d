"""A deployed server, asked patiently: what passes is waited for, what would never do ends the run or the document.

401, 403, a redirect, a certificate        the run ends: every other request would fail too
404, 409                                   whoever asked looks again
413, 422 and any other 4xx                 this document ends; the run too, where all the first ones do
429                                        waited for, as long as the server says or `wait_s` allows
408, 5xx, no connection, half an answer    waited for, up to `wait_s` without any answer
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from cupel.errors import CupelError, ProviderDownError, ProviderLimitError, ProviderRefusedError, SettingError
from cupel.limits import DEFAULT_WAIT_S
from cupel.project import address_problem, host_of
from cupel.redaction import remember_secrets

T = TypeVar("T")

KEY_VARIABLE = "CUPEL_SERVER_KEY"

_CONNECT_S, _READ_S, _WRITE_S = 10.0, 90.0, 60.0
"""LangGraph's servers send a byte every five seconds while a run goes on: a minute and a half of silence is a lost one."""

_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 4.0
_SERVER_TRIES = 4
"""How often a document may meet a 500 while others are answered: then it is the document's own."""

_FIRST_REFUSALS = 3
"""So many documents refused before any was taken are the run's fault."""

_SHOWN_CHARS = 400


class AwayError(CupelError):
    """What was asked for is not there (404), is just being worked on (409), or was lost on the way: look again.

    Args:
        problem: What came back.
        of_request: It may be this request alone that the server stumbles over.
    """

    def __init__(self, problem: str, *, of_request: bool = False) -> None:
        super().__init__(problem)
        self.of_request = of_request


class DocumentRefusedError(CupelError):
    """The server does not take this document; others it may."""


@dataclass(slots=True)
class Outage:
    """How long one kind of request has been answered by nobody: a server may say where a thread is and begin no run."""

    since: float | None = None
    answered_at: float = -math.inf

    def end(self) -> None:
        """One was answered."""
        self.since, self.answered_at = None, time.monotonic()


@dataclass(frozen=True, slots=True)
class Trouble:
    """What came back in place of an answer."""

    words: str
    retry_s: float | None = None
    """Seconds the server asked to wait; None where it asked for nothing."""

    limits: bool = False
    """The server answers, and takes no more for now."""

    of_request: bool = False
    """It may be this request alone that the server stumbles over."""


def check_server(url: str) -> str:
    """The address of a server, as runs and threads are named by it.

    Raises:
        SettingError: If it is none, or has a password or a query in it.

    >>> check_server("http://127.0.0.1:2024/")
    'http://127.0.0.1:2024'
    """
    problem = address_problem(url)
    if problem is None and "@" in url.partition("://")[2].partition("/")[0]:
        problem = f"a name or password in it would be seen by others; the key goes into {KEY_VARIABLE}"
    if problem is None and ("?" in url or "#" in url):
        problem = "it ends before any ? or #"
    if problem is not None:
        raise SettingError(
            f"--server {host_of(url)}: {problem}; give an address such as https://cupel.example.org"
        )
    return url.rstrip("/")


def read_key(given: str | None, env: Mapping[str, str]) -> str:
    """The key that is sent: what was given, else the variable's; empty for none. From now on nothing shows it.

    Raises:
        SettingError: If no header could carry it.
    """
    key = (given or env.get(KEY_VARIABLE, "")).strip()
    remember_secrets({KEY_VARIABLE: key})
    if not key.isascii() or not key.isprintable() or " " in key:
        raise SettingError(
            f"the key of the server has a space, or a character no header carries; set {KEY_VARIABLE} again"
        )
    return key


class Server:
    """One deployed server and what is known of it; use as `async with`.

    Args:
        url: Its address.
        key: Sent as `x-api-key`; empty for none.
        wait_s: Seconds to wait for it while it is away or takes no more; `math.inf` for ever.
        connections: Requests at once, at most.
        tell: Is given a line when its first answer is waited for.

    Attributes:
        away: What is waited for now, in a line by the server's name: whoever shows a run shows it.
    """

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        wait_s: float = DEFAULT_WAIT_S,
        connections: int = 16,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.url = check_server(url)
        self.host = host_of(self.url)
        self.wait_s = wait_s
        self.away: dict[str, str] = {}
        self.caller = hashlib.sha256(key.encode()).hexdigest()[:16]
        """Stands for the key in the names of threads, which belong to it."""

        self._key = key
        self._connections = connections
        self._tell = tell
        self._line = asyncio.Lock()
        self._asking, self._beginning = Outage(), Outage()
        self._limited_since: float | None = None
        self._taken = self._refused = 0

    async def __aenter__(self) -> Self:
        import httpx
        from langgraph_sdk.client import LangGraphClient

        self._client = LangGraphClient(
            httpx.AsyncClient(
                base_url=self.url,
                headers={"x-api-key": self._key} if self._key else {},
                timeout=httpx.Timeout(_READ_S, connect=_CONNECT_S, write=_WRITE_S, pool=None),
                limits=httpx.Limits(
                    max_connections=self._connections + 4, max_keepalive_connections=self._connections
                ),
                follow_redirects=False,  # a key goes to the address that was given, and nowhere else
            )
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, path: str, **params: Any) -> Any:
        """What stands at a path.

        Raises:
            AwayError: If nothing does.
            ProviderRefusedError: If the caller may not have it.
            ProviderDownError: When the server has not answered for `wait_s`.
        """
        return await self._persist(
            lambda: self._client.http.get(path, params=params or None, on_response=self._refuse_redirect)
        )

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """What the server makes of a body; sent again after what passes, so it has to be the same twice.

        Raises:
            AwayError: If it is not there, or at work already.
            DocumentRefusedError: If the server does not take this body.
            ProviderRefusedError: If the caller may not have it.
            ProviderLimitError: When the server takes no more for longer than `wait_s`.
            ProviderDownError: When it has not answered for so long.
        """
        return await self._persist(
            lambda: self._client.http.post(path, json=dict(body), on_response=self._refuse_redirect)
        )

    async def begin(self, path: str, body: Mapping[str, Any]) -> Any:
        """The same for what would be done twice if it were sent twice.

        Raises:
            AwayError: After what passes, too: whether it was begun has to be looked up.
        """
        answer = await self._persist(
            lambda: self._client.http.post(path, json=dict(body), on_response=self._refuse_redirect),
            once=True,
        )
        self._taken += 1
        self._limited_since = None  # whatever limit there was is open
        return answer

    async def _persist(self, ask: Callable[[], Awaitable[T]], *, once: bool = False) -> T:
        import httpx
        from langgraph_sdk.errors import APIStatusError

        outage, tries = self._beginning if once else self._asking, 0
        while True:
            began = time.monotonic()
            try:
                answer = await ask()
            except APIStatusError as error:
                trouble = self._weigh(error)
            except httpx.RequestError as error:
                trouble = self._weigh_connection(error)
            except ValueError:  # half a body, or no JSON at all
                trouble = Trouble("it answered what is no JSON", of_request=True)
            else:
                outage.end()
                self._note_answer()
                return answer
            tries += 1
            if (
                trouble.of_request
                and tries >= _SERVER_TRIES
                and outage.answered_at > began - _LONGEST_PAUSE_S * tries
            ):
                raise DocumentRefusedError(f"{self.host}: {trouble.words}, {tries} times")
            await (
                self._wait_for_room(trouble, tries)
                if trouble.limits
                else self._wait_for_answer(trouble, outage, began)
            )
            if once and not trouble.limits:
                raise AwayError(f"{self.host}: {trouble.words}", of_request=trouble.of_request)

    def _note_answer(self) -> None:
        self._asking.end()
        if self._beginning.since is None:
            self.away.clear()

    def _weigh(self, error: Any) -> Trouble:
        """What a status means.

        Raises:
            CupelError: Where nothing is to be waited for.
        """
        status, said = int(error.status_code), _short(str(error.message))
        if status in (404, 409):
            self._note_answer()
            raise AwayError(f"{self.host}: {said}") from None
        if status in (401, 403):
            help_with = f". Set {KEY_VARIABLE}, or give a file with --key" if status == 401 else ""
            raise ProviderRefusedError(
                f"{self.host} refuses this ({status}): {said}{help_with}", status=status
            ) from None
        if status == 429:
            return Trouble(said, _retry_after(error.response.headers), limits=True)
        if status in (408, 425) or status >= 500:
            return Trouble(f"it answered {status}", of_request=status == 500)
        self._refused += 1
        if not self._taken and self._refused >= _FIRST_REFUSALS:
            raise ProviderRefusedError(
                f"{self.host} refused the first {self._refused} documents ({status}): {said}", status=status
            ) from None
        raise DocumentRefusedError(f"{self.host} does not take this document ({status}): {said}") from None

    def _weigh_connection(self, error: Exception) -> Trouble:
        said = _short(str(error) or type(error).__name__)
        if "CERTIFICATE_VERIFY_FAILED" in said:
            raise ProviderRefusedError(
                f"{self.host}: its certificate is not trusted here ({said}). Name yours with SSL_CERT_FILE"
            ) from None
        return Trouble(f"no answer ({said})")

    def _refuse_redirect(self, response: Any) -> None:
        if 300 <= response.status_code < 400:
            where = host_of(str(response.headers.get("location", "")))
            raise ProviderRefusedError(
                f"{self.host} points elsewhere ({response.status_code}{f', to {where}' if where else ''}), and no key goes "
                "where it is pointed: give the server's own address with --server",
                status=response.status_code,
            )

    async def _wait_for_room(self, trouble: Trouble, tries: int) -> None:
        now = time.monotonic()
        self._limited_since = self._limited_since or now
        pause = trouble.retry_s if trouble.retry_s is not None else min(2.0**tries * _PAUSE_S, 30.0)
        if now + pause - self._limited_since > self.wait_s:
            raise ProviderLimitError(
                f"{self.host} takes no more: {trouble.words}. Nothing finished is lost. `--wait SECONDS` or `--wait "
                "forever` waits longer",
                resets_in_s=trouble.retry_s,
            )
        self.away[self.host] = f"{self.host}: {trouble.words}; asked again in {pause:.0f} s"
        await asyncio.sleep(pause * random.uniform(1.0, 1.1))

    async def _wait_for_answer(self, trouble: Trouble, outage: Outage, began: float) -> None:
        """Return when it is worth asking again: one after the other tries while nobody knows."""
        since = outage.since = outage.since or began
        async with self._line:
            if outage.answered_at > began:  # others were answered meanwhile
                return
            away_s = time.monotonic() - since
            if away_s >= self.wait_s:
                raise ProviderDownError(
                    f"{self.host}: {trouble.words}, for {away_s:.0f} s. Nothing finished is lost, and what it was asked goes on "
                    "there once it is back. `--wait SECONDS` or `--wait forever` waits longer"
                )
            until = "" if math.isinf(self.wait_s) else f" of {self.wait_s:.0f} s"
            line = f"{self.host}: {trouble.words}, trying again, {away_s:.0f} s{until}"
            if not self.away and math.isinf(self._asking.answered_at):
                self._tell(line)
            self.away[self.host] = line
            pause = min(_LONGEST_PAUSE_S, max(_PAUSE_S, away_s / 4), max(0.05, self.wait_s - away_s))
            await asyncio.sleep(pause)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < math.inf else None


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARS else f"{line[: _SHOWN_CHARS - 1]}…"
