"""REST: signed, paced and repeated requests, for the registry (protocol section 6).

HTTP lives here and nothing that knows what a market means: `core.wire.rest_bodies` decodes the bodies, and the registry
decides what follows from the rows.
"""

from gatherer.exchange.rest.client import RestClient
from gatherer.exchange.rest.http import PooledHTTPClient, make_http_client

__all__ = ["PooledHTTPClient", "RestClient", "make_http_client"]
