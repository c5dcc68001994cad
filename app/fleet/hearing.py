"""How what nodes and gateways say changes what is known of them; pure, and the same again changes nothing.

Which node a point has follows who speaks there. A gateway that is gone takes its nodes with it: their own states, which
it left behind, stay as they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.fleet.nodes import Node
from app.fleet.sayings import Event, GatewayState, NodeState, Report, Said
from app.wire import Limits

__all__ = ["Gateway", "Heard", "Known", "Spoken", "Taken", "hear"]

# Events that the node itself has a part in; the others are its gateway's.
_OWN = frozenset(("hello", "update_status", "log", "delivered", "set_aside"))


@dataclass(frozen=True, slots=True)
class Spoken:
    """Something said, at which point, and when it arrived here."""

    point_id: str
    said: Said
    arrived_ns: int


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway as it stands; `since_ns` is by the clock of arrival where it is offline."""

    online: bool
    since_ns: int


@dataclass(frozen=True)
class Known:
    """What is stored already of all that a batch is about.

    Attributes
    ----------
    nodes : mapping of str to Node
        By point: those that speak, and those of gateways that say how they stand.
    gateways : mapping of str to Gateway
    digests : set of (str, bytes)
        Point and digest of the reports and events of the batch that are stored.
    """

    nodes: Mapping[str, Node] = field(default_factory=dict)
    gateways: Mapping[str, Gateway] = field(default_factory=dict)
    digests: frozenset[tuple[str, bytes]] = frozenset()


@dataclass(frozen=True, slots=True)
class Taken:
    """A new report.

    Attributes
    ----------
    point_id : str
    report : Report
    at_ns : int
        The node's time where it is believable, else that of arrival.
    arrived_ns : int
        By the gateway's clock where that is believable, else ours.
    latest : bool
        Whether it is how the node stands now: one that comes behind a later one of the same start is only stored.
    """

    point_id: str
    report: Report
    at_ns: int
    arrived_ns: int
    latest: bool


@dataclass
class Heard:
    """What a batch changes.

    Attributes
    ----------
    nodes : dict of str to Node
        By point, as they stand now; only those that changed.
    gone : set of str
        Points whose node is at another one now.
    gateways : dict of str to Gateway
    reports : list of Taken
        New ones, in order.
    events : list of Spoken
        New ones, in order.
    seen : dict of str to int
        By point, when the latest new thing that its node said arrived.
    counts : Counter
        By point and name.
    notes : list of (str, dict)
        What is worth logging.
    """

    nodes: dict[str, Node] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    gateways: dict[str, Gateway] = field(default_factory=dict)
    reports: list[Taken] = field(default_factory=list)
    events: list[Spoken] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    notes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


def hear(batch: Iterable[Spoken], known: Known, *, limits: Limits) -> Heard:
    """Go through what was said.

    Parameters
    ----------
    batch : iterable of Spoken
        In order of arrival.
    known : Known
    limits : Limits
        Within which a clock is believed.

    Returns
    -------
    Heard

    Notes
    -----
    No time that a node or a gateway tells decides what is new: reports and events are known by what they say, and of
    states the last to arrive holds, as a broker keeps the order of each topic. So neither a restart nor a clock that
    jumps makes anything pass for old.
    """
    listener = _Listener(known, limits)
    for one in batch:
        listener.take(one)
    return listener.heard


class _Listener:
    """One pass over a batch."""

    def __init__(self, known: Known, limits: Limits) -> None:
        self.heard = Heard()
        self._known = known
        self._limits = limits
        self._digests = set(known.digests)

    def take(self, one: Spoken) -> None:
        said = one.said
        if isinstance(said, GatewayState):
            self._gateway(said, one.arrived_ns)
        elif isinstance(said, NodeState):
            self._state(one.point_id, said)
        elif (one.point_id, said.digest) in self._digests:
            self.heard.counts[one.point_id, "duplicates"] += 1
        else:
            self._digests.add((one.point_id, said.digest))
            if isinstance(said, Report):
                self._report(one.point_id, said, one.arrived_ns)
            else:
                self._event(one, said)

    # -- reports and events -------------------------------------------------------------------------------------------

    def _report(self, point_id: str, report: Report, now_ns: int) -> None:
        node = self._speaker(point_id, report.node)
        arrived_ns = self._believed(report.arrived_ns, now_ns) or now_ns
        at_ns = self._believed(report.time_ns, now_ns) or arrived_ns
        latest = True
        if node.number is not None and node.boot == report.boot:
            # A node that cannot keep its count of starts begins with the same boot anew, but not in the past.
            latest = report.number > node.number or at_ns >= (node.reported_ns or 0)
            self.heard.counts[point_id, "reports missing"] += max(0, report.number - node.number - 1)
        self.heard.reports.append(Taken(point_id, report, at_ns, arrived_ns, latest))
        self.heard.counts[point_id, "reports"] += 1
        if latest:
            judged = ("state", "alarm", "score", "threshold", "diagnosis", "probability", "lost", "number", "boot")
            values = {name: getattr(report, name) for name in judged} | {"reported_ns": at_ns}
            values["contract"] = report.contract or node.contract
            node = node.changed(**values)
        self._heard_from(node, now_ns)

    def _event(self, one: Spoken, event: Event) -> None:
        node = self._speaker(one.point_id, event.node)
        time_ns = self._believed(event.time_ns, one.arrived_ns) or one.arrived_ns
        self.heard.events.append(replace(one, said=replace(event, time_ns=time_ns)))
        self.heard.counts[one.point_id, "events"] += 1
        if event.kind in _OWN:
            self._heard_from(_told(node, event.known), one.arrived_ns)
        else:
            self._keep(node)

    def _believed(self, time_ns: int | None, now_ns: int) -> int | None:
        if time_ns is None:
            return None
        ahead_s = (time_ns - now_ns) / 1e9
        return time_ns if -self._limits.behind_s <= ahead_s <= self._limits.ahead_s else None

    def _heard_from(self, node: Node, now_ns: int) -> None:
        self.heard.seen[node.point_id] = max(now_ns, self.heard.seen.get(node.point_id, 0))
        self._keep(node.changed(seen_ns=max(now_ns, node.seen_ns or 0)))

    # -- states -------------------------------------------------------------------------------------------------------

    def _state(self, point_id: str, said: NodeState) -> None:
        node = self._at(point_id)
        other = node is not None and (node.name, node.gateway) != (said.node, said.gateway)
        if other and node is not None and node.gateway is not None and node.online and not said.online:
            # The end of a line that the node, or the one in its place, has left for another gateway's.
            return
        if any(self._is_later(elsewhere, said) for elsewhere in self._elsewhere(point_id, said)):
            return
        if said.online:
            for elsewhere in self._elsewhere(point_id, said):
                self._move(elsewhere, point_id)
        node = self._speaker(point_id, said.node)
        # Each `hello` comes as an event too: a state that comes again must not undo what the node has said since.
        fresh = node.boot is None or said.known.get("boot", 0) > node.boot
        changed = (_told(node, said.known) if fresh else node).changed(gateway=said.gateway)
        if said.online and not self._reaches(said):
            changed = changed.changed(online=False)
        else:
            since_ns = node.since_ns if said.since_ns is None else said.since_ns
            changed = changed.changed(online=said.online, since_ns=since_ns)
        self._keep(changed)

    def _reaches(self, said: NodeState) -> bool:
        """Whether the gateway is there: a state that it left behind when it went says nothing."""
        gateway = self.heard.gateways.get(said.gateway) or self._known.gateways.get(said.gateway)
        return gateway is None or gateway.online or (said.since_ns or 0) > gateway.since_ns

    def _elsewhere(self, point_id: str, said: NodeState) -> Sequence[Node]:
        """The same node of the same gateway at other points."""
        found = [self._at(key) for key in {*self._known.nodes, *self.heard.nodes} - {point_id}]
        return [node for node in found if node is not None and (node.name, node.gateway) == (said.node, said.gateway)]

    @staticmethod
    def _is_later(node: Node, said: NodeState) -> bool:
        return node.since_ns is not None and said.since_ns is not None and node.since_ns > said.since_ns

    def _move(self, node: Node, point_id: str) -> None:
        self.heard.notes.append(("node moved", {"node": node.name, "point": node.point_id, "now": point_id}))
        self.heard.nodes.pop(node.point_id, None)
        self.heard.gone.add(node.point_id)

    def _gateway(self, said: GatewayState, now_ns: int) -> None:
        before = self.heard.gateways.get(said.gateway) or self._known.gateways.get(said.gateway)
        if before is None or before.online != said.online:
            since_ns = said.since_ns if said.online and said.since_ns is not None else now_ns
            self.heard.gateways[said.gateway] = Gateway(said.online, since_ns)
            self.heard.notes.append(("gateway online" if said.online else "gateway offline", {"gateway": said.gateway}))
        if said.online:
            return
        for key in {*self._known.nodes, *self.heard.nodes}:
            node = self._at(key)
            if node is not None and node.gateway == said.gateway and node.online:
                self._keep(node.changed(online=False, since_ns=now_ns))

    # -- nodes --------------------------------------------------------------------------------------------------------

    def _at(self, point_id: str) -> Node | None:
        if point_id in self.heard.gone:
            return None
        return self.heard.nodes.get(point_id) or self._known.nodes.get(point_id)

    def _speaker(self, point_id: str, name: str) -> Node:
        """The node at a point; one of another name takes its place."""
        node = self._at(point_id)
        if node is not None and node.name == name:
            return node
        if node is not None:
            self.heard.notes.append(("node replaced", {"point": point_id, "before": node.name, "node": name}))
        return Node(point_id, name)

    def _keep(self, node: Node) -> None:
        self.heard.gone.discard(node.point_id)
        self.heard.nodes[node.point_id] = node


def _told(node: Node, known: Mapping[str, Any]) -> Node:
    """What a node says of itself; with another start its reports count anew."""
    fresh = {"number": None} if known.get("boot", node.boot) != node.boot else {}
    return node.changed(**known, **fresh)
