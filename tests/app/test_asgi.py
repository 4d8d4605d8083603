import tomllib
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from app import asgi, identity
from app.asgi import Gate, SafeHeaders
from app.identity import LocalSignIn
from app.settings import ROOT

HERE = "http://127.0.0.1:8501"
STREAM = "ws://127.0.0.1:8501/_stcore/stream"
TOKEN = "the right one"


@pytest.fixture(autouse=True)
def _sign_in() -> Iterator[None]:
    before = identity._local
    identity._local = LocalSignIn(TOKEN, port=8501)
    yield
    identity._local = before


@pytest.fixture
def browser() -> TestClient:
    """A browser without any cookie, at an application that says where it was reached."""

    async def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"inside {request.url.path}?{request.url.query}")

    async def stream(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("inside")
        await socket.close()

    inside = Starlette(
        routes=[
            Route("/healthz", page),
            Route("/continue-as/{person:uuid}", asgi.continue_as),
            Route("/sign-out", asgi.sign_out),
            WebSocketRoute("/_stcore/stream", stream),
            Route("/{path:path}", page, methods=["GET", "POST"]),
        ],
        middleware=[Middleware(SafeHeaders), Middleware(Gate)],
    )
    return TestClient(inside, base_url=HERE, follow_redirects=False)


@pytest.fixture
def let_in(browser: TestClient) -> TestClient:
    """The same browser, having opened the printed address."""
    browser.get("/", params={"token": TOKEN})
    return browser


@pytest.mark.parametrize("path", ["/", "/pipeline", "/static/index.js", "/media/report.csv", "/_stcore/health"])
def test_nothing_is_shown_without_the_token(browser: TestClient, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 403
    assert "eventos run" in answer.text
    assert "inside" not in answer.text


@pytest.mark.parametrize("token", ["", "the wrong one", TOKEN + " ", "ключ", "\ud800".encode("utf-8", "surrogatepass")])
def test_a_wrong_token_opens_nothing(browser: TestClient, token: str) -> None:
    answer = browser.get("/", params={"token": token})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_the_ticket_that_a_browser_is_started_with_opens_once(browser: TestClient) -> None:
    sign_in = identity.local()
    assert sign_in
    ticket = sign_in.ticket()
    assert browser.get("/", params={"token": ticket}).status_code == 303
    browser.cookies.clear()
    assert browser.get("/", params={"token": ticket}).status_code == 403


def test_the_token_is_taken_out_of_the_address_and_kept_out_of_the_cookie(browser: TestClient) -> None:
    answer = browser.get("/pipeline", params={"token": TOKEN, "period": "quarter", "owner": ["a", "b&c"]})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/pipeline?period=quarter&owner=a&owner=b%26c"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert browser.get("/pipeline").text == "inside /pipeline?"


def test_the_redirect_stays_on_this_server(browser: TestClient) -> None:
    answer = browser.get(f"{HERE}//elsewhere.example/", params={"token": TOKEN})
    assert answer.headers["location"] == "/elsewhere.example/"


def test_a_cookie_of_another_start_opens_nothing(browser: TestClient, let_in: TestClient) -> None:
    identity._local = LocalSignIn("a later one", port=8501)
    assert let_in.get("/").status_code == 403


def test_a_person_s_cookie_does_not_open_the_gate(browser: TestClient) -> None:
    sign_in = identity.local()
    assert sign_in
    browser.cookies.set(sign_in.cookie("gate"), sign_in.sign("person", "open"))
    assert browser.get("/").status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "8.8.8.8:8501", "[::1", ""])
def test_another_hosts_name_that_points_here_is_refused(let_in: TestClient, host: str) -> None:
    assert let_in.get("/", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:8501", "localhost:8501", "[::1]:8501"])
def test_this_machine_s_own_names_are_not(browser: TestClient, host: str) -> None:
    assert browser.get("/", params={"token": TOKEN}, headers={"host": host}).status_code == 303


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:9999", "null"])
def test_another_site_can_not_send_anything(let_in: TestClient, origin: str) -> None:
    assert let_in.post("/", headers={"origin": origin}).status_code == 403
    with pytest.raises(WebSocketDisconnect), let_in.websocket_connect(STREAM, headers={"origin": origin}):
        pass


def test_the_websocket_asks_for_the_same_cookie(browser: TestClient) -> None:
    ours = {"origin": HERE}
    for address in (STREAM, f"{STREAM}?token={TOKEN}"):
        with pytest.raises(WebSocketDisconnect), browser.websocket_connect(address, headers=ours):
            pass
    browser.get("/", params={"token": TOKEN})
    with browser.websocket_connect(STREAM, headers=ours) as socket:
        assert socket.receive_text() == "inside"
    with pytest.raises(WebSocketDisconnect), browser.websocket_connect(STREAM):  # no browser sends no origin
        pass


def test_the_health_check_needs_no_token_but_our_name(browser: TestClient) -> None:
    assert browser.get("/healthz").status_code == 200
    assert browser.get("/healthz", headers={"host": "evil.example"}).status_code == 403


def test_continuing_as_somebody_and_signing_out(let_in: TestClient) -> None:
    sign_in = identity.local()
    assert sign_in
    person = "11111111-1111-1111-1111-111111111111"
    answer = let_in.get(f"/continue-as/{person}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=strict" in answer.headers["set-cookie"]
    assert sign_in.unsign("person", let_in.cookies[sign_in.cookie("person")]) == person
    let_in.get("/sign-out")
    assert sign_in.cookie("person") not in let_in.cookies


def test_nobody_continues_as_anybody_without_the_token(browser: TestClient) -> None:
    answer = browser.get("/continue-as/11111111-1111-1111-1111-111111111111")
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_with_one_person_signed_in_nobody_else_can_be_chosen(let_in: TestClient) -> None:
    only = identity.Person(identity.UUID(int=1), "ada@example.com", "Ada", "admin")
    identity._local = LocalSignIn(TOKEN, port=8501, only=only)
    assert let_in.get("/continue-as/11111111-1111-1111-1111-111111111111").status_code == 404


def test_before_sign_in_is_configured_everything_is_shut(browser: TestClient) -> None:
    identity._local = None
    assert browser.get("/", params={"token": TOKEN}).status_code == 403


def test_every_answer_keeps_the_browser_on_this_server(browser: TestClient) -> None:
    for path in ("/", "/healthz"):
        headers = browser.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_streamlit_is_told_to_say_little_and_take_little() -> None:
    options = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert options["client"]["showErrorDetails"] == "none"
    assert options["client"]["disableDataExport"] is True
    assert options["client"]["allowedOrigins"] == []
    assert options["browser"]["gatherUsageStats"] is False
    assert options["server"]["maxUploadSize"] <= 5
    assert not {"enableXsrfProtection", "enableCORS", "enableAgentApi"} & options["server"].keys()
