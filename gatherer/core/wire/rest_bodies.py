"""REST bodies to values (protocol section 6). Only needed fields are read: a page of 2.5 MB costs about 10 ms."""

import msgspec

from gatherer.values import ExchangeStatus, MarketRow


class Unreadable(Exception):
    """A body is cut short, is not JSON, or has another shape. The text says where."""


class OddShape(Unreadable):
    """A whole answer about one market has another shape. To ask again gives the same answer."""


class MarketPage(msgspec.Struct, frozen=True):
    """A page of markets, the cursor of the next page ("" at the end), and the tickers of unreadable rows."""

    rows: list[MarketRow]
    cursor: str
    unreadable: list[str]


class _StrictPage(msgspec.Struct):
    markets: list[MarketRow]
    cursor: str | None = None


class _LoosePage(msgspec.Struct):
    markets: list[msgspec.Raw]
    cursor: str | None = None


class _Ticker(msgspec.Struct):
    ticker: object = None


class _Market(msgspec.Struct):
    market: MarketRow


_BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_decode_page = msgspec.json.Decoder(_StrictPage).decode
_decode_loose_page = msgspec.json.Decoder(_LoosePage).decode
_decode_row = msgspec.json.Decoder(MarketRow).decode
_decode_ticker = msgspec.json.Decoder(_Ticker).decode
_decode_market = msgspec.json.Decoder(_Market).decode
_decode_status = msgspec.json.Decoder(ExchangeStatus).decode


def decode_page(code: int, body: bytes) -> MarketPage:
    """A page. A row of another shape is left out. Raises `Unreadable` for a body that is not a page."""
    try:
        page = _decode_page(body)
    except _BAD_JSON:
        return _decode_row_by_row(body)
    return MarketPage(page.markets, page.cursor or "", [])


def decode_market(code: int, body: bytes) -> MarketRow | None:
    """One market, or None for a 404. Raises `Unreadable` for a body that is not a market."""
    if code == 404:
        return None
    try:
        return _decode_market(body).market
    except msgspec.ValidationError as error:
        raise OddShape(str(error)) from None
    except _BAD_JSON as error:
        raise Unreadable(str(error)) from None


def decode_status(code: int, body: bytes) -> ExchangeStatus:
    """The exchange's status, with any HTTP status. Raises `Unreadable` for a body that is not a status."""
    try:
        return _decode_status(body)
    except _BAD_JSON as error:
        raise Unreadable(str(error)) from None


def _decode_row_by_row(body: bytes) -> MarketPage:
    try:
        page = _decode_loose_page(body)
    except _BAD_JSON as error:
        raise Unreadable(str(error)) from None
    rows, unreadable = [], []
    for raw in page.markets:
        try:
            rows.append(_decode_row(raw))
        except _BAD_JSON:
            unreadable.append(_name_of(raw))
    return MarketPage(rows, page.cursor or "", unreadable)


def _name_of(raw: msgspec.Raw) -> str:
    try:
        return str(_decode_ticker(raw).ticker)[:100]
    except _BAD_JSON:
        return "a row without a readable ticker"
