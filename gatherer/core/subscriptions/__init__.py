"""How one session comes to hold the markets that its connection wants. Theory of operation:

**Three sets.** *Wanted* are the markets a connection is to carry. The registry decides and the manager edits the set;
it outlives every socket. *Held* are the markets whose subscription the exchange has acknowledged on this socket
(`HeldMarkets`). *Owed* are the held markets whose book was asked for and has not come (`OwedSnapshots`). A market's
feed is complete when the market is wanted and held and not owed.

**One command at a time.** `BookPlanner` compares wanted with held and gives the next command. `CommandQueue` in the
shell sends it and reports its outcome; only then does the planner give another one. Deletes go first, because they make
room. Then come fresh snapshots, then adds. Once twice the batch is owed, snapshots and adds wait for books.

**Only the exchange changes what is held.** An acknowledgement or the end of a subscription does; sending a command does
not, so nothing is ever rolled back. Adding a market twice and deleting it twice change nothing on the exchange
(protocol section 3). So a command with an unknown result is repeated until it is acknowledged. The outcomes are:

* *Acknowledged*: an add moves its markets to held, and each is owed its book. A delete removes them. The batch grows.
* *No reply in time, or an error that does not say what happened*: the markets are *unsure*. The command may have taken
  effect unseen, so it is repeated even for a market that is not wanted any more: once held, the market can be deleted.
  Adds are repeated in halves (`RetryGroups`), and the batch shrinks.
* *Bad market* (11, 14, 16): the command is halved until the bad market is alone. It is set aside and tried again after
  ten minutes (`RejectedMarkets`). If it is unsure, the session is given up: only a new socket is sure to be empty.
* *Over the limit* (26): the exchange takes no more markets here. The markets that do not fit go to other connections.
* *Subscription over* (10, 25, an `unsubscribed` without a command): the markets of the sid are not held any more. Those
  that are wanted are added again.
* *Unknown sid* (7) although the sid has markets: both sides disagree, and the session is given up.

`reaction_to` has the table of codes. Before it repeats a command the planner waits, longer each time (`core.backoff`);
only the halves of a command with a bad market follow at once.

**Late replies.** `ReplyDeadline` waits as long as the exchange takes at the moment. A reply after that still counts: it
settles the markets that are unsure. The reply to a later command overtakes it. Only a minute without any reply ends the
session.

**Books.** An add and a `get_snapshot` owe one book for each market. A book that does not come in time is *late*. It is
asked for again until it comes, after ever longer pauses; the market is held without its book. After two vain tries it
is reported: it may be closed. Late books do not stop the adds. A book may overtake the acknowledgement of its add; then
it is not owed. `BookRequests` is the half of the planner that does this.

**Gaps.** `SequenceTracker` counts the numbers of each sid. A skipped number is a gap, and so is a lasting step back. A
gap does not say which market lost data, so every market of the sid needs a fresh book; `GapRecoveries` waits for all of
them, late ones too. Gaps that come in the meantime cost one more round of books together.

**Forgetting.** A session forgets everything when its socket closes: sids, numbers, held, owed, unsure and rejected
markets, and the command in flight. Sids and numbers start from 1 on the next socket, so none of it may survive. The
wanted set stays, and a new planner starts from it. The connection also keeps its counters and the `GapLog`.

`ChannelPlanner` answers the same questions for a session that takes one whole channel.

What lives here decides. It has no socket and no clock, and it knows nothing of bytes: `core.wire` turns commands into
JSON and imports from here. Only `correlation` knows Deferreds.
"""

from gatherer.core.subscriptions.book_planner import BookPlanner
from gatherer.core.subscriptions.book_requests import BookRequests
from gatherer.core.subscriptions.channel_planner import ChannelPlanner
from gatherer.core.subscriptions.commands import TERMINAL, Action, Command, Reaction, reaction_to
from gatherer.core.subscriptions.correlation import PendingCommands, Waiters
from gatherer.core.subscriptions.held import HeldMarkets, Holding
from gatherer.core.subscriptions.reply_deadline import ReplyDeadline
from gatherer.core.subscriptions.retries import RejectedMarkets, RetryGroups
from gatherer.core.subscriptions.sequence import GapLog, SequenceTracker
from gatherer.core.subscriptions.snapshots import GapRecoveries, OwedSnapshots

__all__ = [
    "TERMINAL", "Action", "BookPlanner", "BookRequests", "ChannelPlanner", "Command", "GapLog", "GapRecoveries",
    "HeldMarkets", "Holding", "OwedSnapshots", "PendingCommands", "Reaction", "RejectedMarkets", "ReplyDeadline",
    "RetryGroups", "SequenceTracker", "Waiters", "reaction_to",
]  # fmt: skip
