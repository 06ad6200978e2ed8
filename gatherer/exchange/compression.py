"""permessage-deflate (RFC 7692): what we offer, and what of a server's answer we accept.

A compressed frame has a reserved bit set, so the frame scan stops at it and autobahn inflates it: this file is all
there is. Autobahn bounds inflation itself: it stops at the largest message it may hand over and fails the connection
with code 1009. Versions before 26.10 cut such a message off without a word.
"""

from typing import Any

from autobahn.websocket.compress import (
    PerMessageDeflateOffer,
    PerMessageDeflateResponse,
    PerMessageDeflateResponseAccept,
)


def options(enabled: bool) -> dict[str, Any]:
    """Arguments for autobahn's `setProtocolOptions`. Without an offer every extension a server grants is refused."""
    if not enabled:
        return {}
    return {"perMessageCompressionOffers": [PerMessageDeflateOffer()], "perMessageCompressionAccept": _accept}


def _accept(response: Any) -> PerMessageDeflateResponseAccept | None:
    """Autobahn has checked the parameters. None, which fails the upgrade, for another kind of compression."""
    if isinstance(response, PerMessageDeflateResponse):
        return PerMessageDeflateResponseAccept(response)
    return None
