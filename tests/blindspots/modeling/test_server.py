"""The client of completion servers: order, bounds, retries, and that every failure is one line without the key."""

import socket

import pytest
from completion_server import NAME, CompletionServer, choice, cut, status, text
from starlette.responses import JSONResponse

from blindspots.config.errors import RecipeError, UserError
from blindspots.data.nli import END_MARKER, generator_prompt
from blindspots.modeling import server as client
from blindspots.modeling.server import API_KEY, Server, checked_url

SAMPLING = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 30, "stop": [END_MARKER]}
KEY = "sk-not-to-be-seen"


@pytest.fixture
def prompt(server) -> list[int]:
    return server.tokenizer(generator_prompt("neutral"))["input_ids"]


def test_completions_stand_in_the_order_of_their_seeds_and_follow_from_them(server, prompt):
    asking = Server(server.url, concurrency=4)
    one, again = (asking.complete(NAME, prompt, seeds, **SAMPLING) for seeds in (range(9), range(8, -1, -1)))
    assert one == again[::-1]
    assert len({completion.text for completion in one}) > 3
    assert {completion.finish_reason for completion in one} == {"stop"}
    assert server.most <= 4
    assert server.asked[0] == {"model": NAME, "prompt": prompt, "seed": server.asked[0]["seed"], **SAMPLING}


def test_a_server_need_not_count_tokens(server, prompt):
    server.faults = [lambda answer: JSONResponse({"choices": answer["choices"], "usage": ["many"]})]
    (completion,) = Server(server.url, concurrency=1).complete(NAME, prompt, [0], **SAMPLING)
    assert completion.tokens is None


def test_what_the_server_says_of_itself(server):
    asking = Server(server.url + "/", concurrency=1)
    assert (asking.url, asking.models(), asking.version()) == (server.url, [NAME], "0.33.0")
    assert Server(server.url + "/elsewhere", concurrency=1).version() is None


FAULTS = {
    "too many requests": status(429, retry_after=0),
    "a broken server": status(500),
    "a busy server": status(503),
    "a cut connection": cut,
    "no JSON": text("<html>Bad gateway</html>"),
    "half of the JSON": text('{"choices": ['),
    "no choices": text('{"choices": []}'),
    "another object": text("[]"),
    "no text": choice(text=None),
    "a server that is shut down": choice(finish_reason="abort"),
    "no reason": choice(finish_reason=None),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_that_passes_changes_nothing(server, prompt, fault):
    asking = Server(server.url, concurrency=2)
    expected = asking.complete(NAME, prompt, range(2), **SAMPLING)
    server.faults = [fault, fault]
    assert asking.complete(NAME, prompt, range(2), **SAMPLING) == expected
    assert not server.faults


STAYING = {
    "a busy server": (status(503), r"refuses: 503 Service Unavailable, Not now\.$"),
    "a cut connection": (cut, r"is out of reach \(.*\)\. Start it and run this again\.$"),
    "no JSON": (text("<html>"), "answers something else than asked for: no JSON"),
    "no choices": (text('{"choices": []}'), "answers something else than asked for: no completion"),
    "a shut down server": (choice(finish_reason="abort"), "a completion that ended by 'abort'"),
}


@pytest.mark.parametrize(("fault", "said"), STAYING.values(), ids=STAYING)
def test_a_fault_that_stays_is_told_in_one_line_after_six_tries(server, prompt, fault, said):
    server.faults = [fault] * 6
    with pytest.raises(UserError, match=rf"^The server at {server.url} .*{said}") as told:
        Server(server.url, concurrency=1).complete(NAME, prompt, [0], **SAMPLING)
    assert "\n" not in str(told.value)
    assert len(server.asked) == 6


@pytest.mark.parametrize("code", [400, 401, 403, 404, 422])
def test_a_refusal_is_not_asked_again(server, prompt, code):
    server.faults = [status(code)]
    with pytest.raises(UserError, match=rf"refuses: {code} .*, Not now\.$"):
        Server(server.url, concurrency=1).complete(NAME, prompt, [0], **SAMPLING)
    assert len(server.asked) == 1


def test_a_refusal_ends_the_other_requests(world, prompt):
    own = CompletionServer(world / "generator")  # its last answers are for nobody
    own.faults = [status(400)]
    with pytest.raises(UserError, match="refuses"):
        Server(own.url, concurrency=2).complete(NAME, prompt, range(50), **SAMPLING)
    own.stop()
    assert len(own.asked) < 10


def test_a_server_that_is_silent_or_gone_is_given_up(server, monkeypatch):
    monkeypatch.setattr(client, "TIMEOUT", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        asking = Server(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", concurrency=1)
        with pytest.raises(UserError, match=r"is out of reach \(ReadTimeout\)\. Start it and run this again\.$"):
            asking.models()
    with pytest.raises(UserError, match=r"is out of reach \(.*\)\. Start it and run this again\.$"):
        asking.models()


def test_the_key_is_sent_and_never_told(server, prompt, monkeypatch):
    monkeypatch.setenv(API_KEY, KEY)
    asking = Server(server.url, concurrency=1)
    asking.complete(NAME, prompt, [0], **SAMPLING)
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    server.faults = [status(401, f"Incorrect API key provided: {KEY}")]
    with pytest.raises(UserError, match=r"Incorrect API key provided: \*\*\*"):
        asking.complete(NAME, prompt, [0], **SAMPLING)


def test_without_a_key_none_is_sent_and_a_broken_one_is_refused_unseen(server, prompt, monkeypatch):
    monkeypatch.delenv(API_KEY, raising=False)
    Server(server.url, concurrency=1).complete(NAME, prompt, [0], **SAMPLING)
    assert "authorization" not in server.headers[0]
    monkeypatch.setenv(API_KEY, f"{KEY}\n")
    with pytest.raises(UserError, match=f"^{API_KEY} holds a character") as told:
        Server(server.url, concurrency=1)
    assert KEY not in str(told.value)


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://localhost/v1", "http://", "http://[::1", "http://h:99999/v1"]
)
def test_what_is_no_url_is_refused(url):
    with pytest.raises(RecipeError, match="server_url is no URL such as"):
        checked_url(url)


@pytest.mark.parametrize(
    "url", ["http://me:secret@host/v1", "http://secret@host/v1", "http://host/v1?key=secret", "http://host/v1#secret"]
)
def test_a_url_with_credentials_is_refused_unseen(url):
    with pytest.raises(RecipeError, match=f"a key goes into the environment variable {API_KEY}") as told:
        checked_url(url)
    assert "secret" not in str(told.value)
