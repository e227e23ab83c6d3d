"""`evals/small_view.py`: the demo's cheap tier is shown less of a request, and nobody else is."""

from __future__ import annotations

import json
import threading
from http.server import ThreadingHTTPServer
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from cupel.testing.provider import ScriptedProvider
from tests.conftest import ROOT, load_script


@pytest.fixture
def small_view():
    """The script as a module."""
    return load_script(ROOT / "evals" / "small_view.py")


@pytest.fixture
def ask(small_view, monkeypatch, request):
    """Asks an endpoint behind the small view, and says what reached it."""
    with ScriptedProvider(lambda _: "yes", faults=getattr(request, "param", None)) as provider:
        monkeypatch.setattr(small_view.Handler, "behind", f"{provider.url}/v1", raising=False)
        monkeypatch.setattr(small_view.Handler, "log_message", lambda *_: None)
        server = ThreadingHTTPServer(("127.0.0.1", 0), small_view.Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()

        def post(body):
            url = f"http://127.0.0.1:{server.server_port}/v1/chat/completions"
            with urlopen(Request(url, json.dumps(body).encode(), {"Authorization": "Bearer k"})) as reply:
                return json.loads(reply.read()), provider.requests[-1]

        yield post
        server.shutdown()
        server.server_close()
        thread.join()


def asking(model):
    text = "Word " * 400
    return {
        "model": model,
        "messages": [
            {"role": "system", "content": "Annotate the arguments.\n\nRules:\n- Be exhaustive."},
            {"role": "user", "content": f'<document id="a">\n{text}\n</document>\n\nMind also:\nno thanks.'},
        ],
    }


def test_a_cheap_model_sees_the_first_line_and_the_beginning_of_the_document(ask):
    """What is written for this one document comes after it and stays."""
    answer, reached = ask(asking("demo-cheap"))
    system, user = (message["content"] for message in reached["messages"])

    assert answer["choices"][0]["message"]["content"] == "yes"
    assert system == "Annotate the arguments."
    assert user.count("Word ") == 240
    assert user.endswith("</document>\n\nMind also:\nno thanks.")


def test_every_other_model_sees_all(ask):
    """The strong tier and the judge are asked as they would be without the view."""
    asked = asking("demo-judge")

    assert ask(asked)[1]["messages"] == asked["messages"]


@pytest.mark.parametrize("ask", [{"http_400": 1.0}], indirect=True)
def test_a_refusal_of_the_endpoint_comes_back_as_it_is(ask):
    """Whoever records is told what is wrong with a request, not that the connection broke."""
    with pytest.raises(HTTPError) as refused:
        ask(asking("demo-cheap"))

    with refused.value as reply:
        assert reply.code == 400
