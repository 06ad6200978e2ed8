"""How a page is served: only GET and HEAD, only known parameters, one JSON line for an error."""

from collections.abc import Callable

import msgspec
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import Request

Answer = tuple[int, str, bytes]
"""HTTP status, content type, body."""
Query = dict[str, str]

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
MAX_QUERY = 200
"""Characters of a parameter's value."""


class QueryError(Exception):
    """The query makes no sense; the text says why."""


class Page(Resource):
    """GET and HEAD of one function. It gets its parameters; each is required."""

    isLeaf = False
    _log = Logger()

    def __init__(self, answer: Callable[..., Answer], *parameters: str) -> None:
        super().__init__()
        self._answer = answer
        self._parameters = parameters

    def getChild(self, path: bytes, request: Request) -> Resource:
        """There is nothing below a page."""
        return Missing()

    def render(self, request: Request) -> bytes:
        """The answer; 405 for other methods, 400 for another query, 500 with one line, and the traceback in the log,
        for a bug of ours."""
        refused = refusal(request, self._parameters)
        if refused is not None:
            return send(request, refused)
        try:
            answer = self._answer(request, **query(request))
        except QueryError as error:
            answer = problem(400, str(error))
        except Exception:  # the page is broken, not the gatherer
            self._log.failure("page {path} failed", path=request.path.decode("latin-1"))
            answer = problem(500, "this page is broken; the log says why")
        return send(request, answer)


class Missing(Resource):
    """What does not exist, in one line."""

    def getChild(self, path: bytes, request: Request) -> Resource:
        """Nor does what would be below."""
        return Missing()

    def render(self, request: Request) -> bytes:
        """404, whatever the method."""
        return send(request, problem(404, "there is no such page"))


def refusal(request: Request, parameters: tuple[str, ...]) -> Answer | None:
    """Why the request cannot be answered, if so: its method, or a query other than these parameters, each once."""
    if request.method not in (b"GET", b"HEAD"):
        request.setHeader("allow", "GET, HEAD")
        return problem(405, "only GET and HEAD")
    given = request.args or {}
    unknown = [name for name in given if name.decode("latin-1") not in parameters]
    if unknown:
        return problem(400, f"unknown parameter {unknown[0].decode('latin-1')[:40]!a}")
    for name in parameters:
        values = given.get(name.encode(), [])
        if len(values) != 1 or not values[0] or len(values[0]) > MAX_QUERY:
            return problem(400, f"the parameter {name!r} is needed, once, of at most {MAX_QUERY} characters")
    return None


def query(request: Request) -> Query:
    """The parameters, of which `refusal` found each there once."""
    return {name.decode("latin-1"): values[0].decode("utf-8", "replace") for name, values in request.args.items()}


def problem(code: int, error: str) -> Answer:
    """`{"error": ...}`."""
    return as_json(code, {"error": error})


def as_json(code: int, value: object) -> Answer:
    """Any value msgspec can encode."""
    return code, "application/json", msgspec.json.encode(value) + b"\n"


def send(request: Request, answer: Answer) -> bytes:
    """Set status and headers; the body, for `render` to return."""
    code, content_type, body = answer
    request.setResponseCode(code)
    request.setHeader("content-type", content_type)
    for name, value in HEADERS.items():
        request.setHeader(name, value)
    return body
