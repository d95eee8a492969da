"""The page at ``/``: static files that come with the package, and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from boilerplate_clf.files import sha256_bytes

_TYPES = {
    "css": "text/css",
    "html": "text/html",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "txt": "text/plain",
}
_PAGES = {"/": "index.html", "/docs": "docs.html"}
_ASSETS = (
    "app.js",
    "decide.js",
    "docs.css",
    "docs.js",
    "draw.js",
    "example.txt",
    "icon.svg",
    "style.css",
    "words.js",
)


def page_routes() -> Mapping[str, Callable[[Request], Awaitable[Response]]]:
    """Return what answers at each path of the page."""
    names = _PAGES | {f"/static/{name}": name for name in _ASSETS}
    return {path: _file(name) for path, name in names.items()}


def _file(name: str) -> Callable[[Request], Awaitable[Response]]:
    content = (files(__name__) / name).read_bytes()
    kind = _TYPES[name.rpartition(".")[2]]
    headers = {"ETag": f'"{sha256_bytes(content)[:16]}"', "Cache-Control": "no-cache"}

    async def respond(request: Request) -> Response:
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=kind)

    return respond
