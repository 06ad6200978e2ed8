"""The pages for operators: the status page with its live feed, metrics, health, readiness, explanations. Read only.

Each page is a function of the status; the live feed looks once a second and sends the same bytes to all. Events come
from the log. What a browser loads is in `static/`.
"""

from gatherer.ops.web.event_log import EventLog
from gatherer.ops.web.service import WebService

__all__ = ["EventLog", "WebService"]
