"""Where a server is, and what goes to it: an address, a key, and neither to anybody else."""

from __future__ import annotations

import pytest
from aiohttp import web

from cupel.errors import ProviderDownError, ProviderRefusedError, SettingError
from cupel.redaction import redact
from cupel.runs import Server, ask_offer, check_server, read_key


@pytest.mark.parametrize(
    ("url", "says"),
    [
        pytest.param("cupel.example.org", "begin with http", id="no scheme"),
        pytest.param("https://me:hunter2secret@cupel.example.org", "CUPEL_SERVER_KEY", id="a password"),
        pytest.param("https://cupel.example.org/?key=4711", "ends before any", id="a query"),
        pytest.param("https://cupel example", "space", id="a space"),
    ],
)
def test_what_is_no_address_of_a_server_is_refused_in_a_sentence(url, says):
    """And nothing secret in it is said again."""
    with pytest.raises(SettingError, match=says) as told:
        check_server(url)
    assert "hunter2secret" not in str(told.value)


def test_a_key_is_shown_by_nobody_once_it_was_read():
    """Whether it was given or stood in the variable."""
    assert read_key(None, {"CUPEL_SERVER_KEY": " cupel_4711abcdefgh \n"}) == "cupel_4711abcdefgh"
    assert read_key("cupel_4712abcdefgh", {"CUPEL_SERVER_KEY": "other"}) == "cupel_4712abcdefgh"
    assert redact("it was cupel_4711abcdefgh, and cupel_4712abcdefgh") == "it was ***, and ***"
    with pytest.raises(SettingError, match="no header carries"):
        read_key("two words", {})


async def test_a_key_does_not_follow_a_redirect():
    """A server, or whoever stands in for it, may point anywhere."""
    shown = []

    async def point(request):
        shown.append((request.path, request.headers.get("x-api-key")))
        raise web.HTTPTemporaryRedirect("http://127.0.0.1:1/elsewhere")

    async with listening(point) as url, Server(url, "key-4711-key") as server:
        with pytest.raises(ProviderRefusedError, match="points elsewhere"):
            await ask_offer(server)
    assert shown == [("/cupel/offer", "key-4711-key")]


async def test_what_is_no_server_of_ours_is_told_at_once():
    """A page of HTML, another application, JSON of another kind."""
    for answer in (web.json_response({"detail": "Not Found"}, status=404), web.json_response({"tasks": 3})):

        async def say(_request, answer=answer):
            return web.Response(body=answer.body, status=answer.status, content_type="application/json")

        async with listening(say) as url, Server(url) as server:
            with pytest.raises(SettingError, match="no server of Cupel's"):
                await ask_offer(server)


async def test_nobody_at_the_address_is_said_at_once_and_waited_for():
    """Whoever mistyped it need not wait to know."""
    told = []
    async with Server("http://127.0.0.1:1", wait_s=0.3, tell=told.append) as server:
        with pytest.raises(ProviderDownError, match="no answer"):
            await ask_offer(server)
    assert len(told) == 1
    assert "trying again" in told[0]


class listening:  # noqa: N801 # used as a function
    """One handler for every request, on a free port."""

    def __init__(self, handler):
        self.handler = handler

    async def __aenter__(self):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handler)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_):
        await self.runner.cleanup()
