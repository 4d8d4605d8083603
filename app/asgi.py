"""The app as a web server sees it: Streamlit's application behind the gate, with a health check and sign-in routes."""

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import anyio.to_thread
import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import database, identity
from app.components import freshness
from app.errors import Refused
from app.settings import is_loopback
from app.site_map import FIRST, first_page

_LOCKED = Path(__file__).with_name("locked.html")
_HEADERS = {
    # A picture or script address that somebody typed into a company's name is not fetched: nothing leaves this server.
    # Streamlit sets styles inline, compiles its table's WebAssembly and loads our own small components from blob:;
    # charts and downloads are data: and blob:.
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
        "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

# Called once when pages can be opened; `eventos run` prints and opens the address then.
on_ready: Callable[[], None] = lambda: None  # noqa: E731


# Routes -------------------------------------------------------------------------------------------------------


async def healthz(_request: Request) -> Response:
    """200 when the database answers, 503 with a sentence when it doesn't; it tells no more, so it needs no sign-in."""
    try:
        await anyio.to_thread.run_sync(database.ping)
    except Refused as refusal:
        return JSONResponse({"status": "not ready", "reason": str(refusal)}, 503)
    return JSONResponse({"status": "ready"})


async def continue_as(request: Request) -> Response:
    """Signs this browser in as the person, behind the gate; whether they may look is asked at every rerun."""
    sign_in = identity.local()
    if sign_in is None or sign_in.only:
        return PlainTextResponse("Nobody can be chosen here.", 404)
    response = RedirectResponse("/", 303)
    person: UUID = request.path_params["person"]
    _set_cookie(response, sign_in.cookie("person"), sign_in.sign("person", str(person)))
    return response


async def sign_out(_request: Request) -> Response:
    """Forgets as whom this browser continued."""
    response = RedirectResponse("/", 303)
    if sign_in := identity.local():
        response.delete_cookie(sign_in.cookie("person"), httponly=True, samesite="strict")
    return response


def _set_cookie(response: Response, name: str, value: str) -> None:
    """For this browser session, out of reach of scripts, and never sent along by another site."""
    response.set_cookie(name, value, httponly=True, samesite="strict")


# Middleware ---------------------------------------------------------------------------------------------------


class Gate:
    """Lets nobody through without this start's token: the port is open to every user of the machine.

    The printed address carries the token once; a cookie then stands for it. Guards pages, assets and the websocket,
    and refuses other hosts' names (a foreign site may point its name here) and other origins.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or answers it here."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(HTTPConnection(scope))
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await refusal(scope, receive, send)
        else:  # closed before it was accepted, the handshake answers 403
            await send({"type": "websocket.close", "code": 1008, "reason": "Not signed in."})

    def _refusal(self, request: HTTPConnection) -> Response | None:
        host = request.headers.get("host", "")
        if not _is_ours(host):
            return PlainTextResponse("This server answers under this machine's own names only.", 403)
        origin = request.headers.get("origin")
        is_websocket = request.scope["type"] == "websocket"
        if (origin or is_websocket) and origin not in (f"http://{host}", f"https://{host}"):
            return PlainTextResponse("Another site may not use this server.", 403)
        if request.url.path == "/healthz":
            return None
        sign_in = identity.local()
        if sign_in is None:
            return PlainTextResponse("Start the dashboard with `eventos run`.", 403)
        token = request.query_params.get("token")
        if token is not None and sign_in.admits(token):
            others = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
            # The path of this address, not of the one that it may look like: //elsewhere would leave this machine.
            path = "/" + request.url.path.lstrip("/\\")
            response = RedirectResponse(path + (f"?{urlencode(others)}" if others else ""), 303)
            _set_cookie(response, sign_in.cookie("gate"), sign_in.sign("gate", "open"))
            return response
        if sign_in.unsign("gate", request.cookies.get(sign_in.cookie("gate"), "")):
            return None
        return HTMLResponse(_LOCKED.read_text(encoding="utf-8"), 403)


class FrontDoor:
    """Sends whoever is signed in from the first address on to the page that answers their role's first question.

    Done here and not in the page, so that "back" never leads to an address that sends on again.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or answers it here."""
        if scope["type"] == "http" and scope["path"] == "/":
            request = HTTPConnection(scope)
            # Where the database can't say who that is, the page will say why.
            with suppress(Refused):
                if viewer := await anyio.to_thread.run_sync(identity.signed_in, request.cookies):
                    chosen = f"?{request.url.query}" if request.url.query else ""
                    await RedirectResponse(f"/{first_page(viewer.role)}{chosen}", 303)(scope, receive, send)
                    return
        await self._app(scope, receive, send)


class SafeHeaders:
    """Tells the browser to keep to this server: nothing that stands in the data can make it load or send elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Adds the headers to every answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _is_ours(host: str) -> bool:
    """Whether the request was sent to this machine by its own name or number."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name is not None and is_loopback(name)


# The application ----------------------------------------------------------------------------------------------


@asynccontextmanager
async def _warm(_app: st.App) -> AsyncIterator[None]:
    """Makes ready before the first visitor comes what the first page would otherwise wait for."""
    await anyio.to_thread.run_sync(_prepare)
    on_ready()
    yield


def _prepare() -> None:
    import plotly.graph_objects as go
    import plotly.io as pio

    for name in FIRST.values():
        import_module(f"app.components.{name}")  # with the charts and questions that it imports
    # Plotly's first figures, made at once in two threads, fail: it completes its own imports while drawing.
    pio.to_json(
        go.Figure([go.Bar(y=[1]), go.Scatter(y=[1]), go.Funnel(x=[1]), go.Waterfall(y=[1])], go.Layout(title=""))
    )
    # What is here now stays for good: the collector need not look through 170,000 objects after every rerun.
    gc.collect()
    gc.freeze()


application = st.App(
    Path(__file__).with_name("main.py"),
    lifespan=_warm,
    routes=[
        Route("/healthz", healthz),
        Route("/continue-as/{person:uuid}", continue_as),
        Route("/sign-out", sign_out),
        Route(freshness.PATH, freshness.data_version),
    ],
    # Not compressed: measured on this machine's own address, where alone it is served, 7 MB less to send gain nothing
    # over unpacking them. A proxy in front of it would compress.
    middleware=[Middleware(SafeHeaders), Middleware(Gate), Middleware(FrontDoor)],
)
