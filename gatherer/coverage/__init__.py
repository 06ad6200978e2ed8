"""Was everything captured, and if not, what is missing? Decided from the segments of one or several captures alone.

Here are the judgement, its values, and its text, JSON and picture. The service does not import it.
"""

from gatherer.coverage.answer import BOOKS, Coverage, FeedCoverage, Interval, State
from gatherer.coverage.judging import BadRequest, coverage_of, gatherer_names
from gatherer.coverage.scan import NotACapture

__all__ = [
    "BOOKS",
    "BadRequest",
    "Coverage",
    "FeedCoverage",
    "Interval",
    "NotACapture",
    "State",
    "coverage_of",
    "gatherer_names",
]
