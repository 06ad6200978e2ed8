"""`/live`: server-sent events, one stream for each who watches."""

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from gatherer.ops.broadcast import Broadcast, Stream
from gatherer.ops.serving import Missing, problem, refusal, send

RETRY = b"retry: 2000\n\n"
"""Milliseconds after which a browser comes back by itself."""


class LiveResource(Resource):
    """Never ends by itself. 503 when enough watch already."""

    def __init__(self, broadcast: Broadcast, clock: IReactorTime) -> None:
        super().__init__()
        self._broadcast = broadcast
        self._clock = clock

    def getChild(self, path: bytes, request: Request) -> Resource:
        """There is nothing below."""
        return Missing()

    def render(self, request: Request) -> bytes | int:
        """Begin a stream; it is over when the client goes, reads nothing for too long, or the service stops."""
        refused = refusal(request, ())
        if refused is None and not self._broadcast.has_room():
            request.setHeader("retry-after", "10")
            refused = problem(503, "enough watch already")
        if refused is not None:
            return send(request, refused)
        begin = send(request, (200, "text/event-stream", RETRY))
        if request.method == b"HEAD":
            return b""
        request.write(begin)
        stream = Stream(request.write, request.channel.forceAbortClient, self._clock)
        request.notifyFinish().addBoth(lambda _: self._broadcast.remove(stream))
        request.registerProducer(stream, True)
        self._broadcast.add(stream)
        return NOT_DONE_YET
