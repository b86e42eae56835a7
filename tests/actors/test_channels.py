"""actors.channels"""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from actors.channels import Channel, Filter, Outlets, Position, Snapshot, Subscribe, keyed
from paranet.errors import InvalidInput
from tests.actors.conftest import Clock
from tests.actors.recorder import Choosy, Recorder, continuous


def by_node(item: dict[str, Any], wanted: Filter, seen: dict[Any, Any]) -> dict[str, Any] | None:
    return item if item["node"] in wanted.nodes else None


@pytest.fixture
def channel(outlets: Outlets, clock: Clock) -> Channel:
    """A channel whose ring holds five items."""
    return Channel("things", outlets, epoch="e", select=by_node, clock=clock, ring_items=5)


def thing(number: int, node: str = "a") -> dict[str, Any]:
    return {"n": number, "node": node}


def subscribe(path: str, since: Position | None = None, *nodes: str) -> Subscribe:
    return Subscribe(channel="things", subscriber=path, reply_to=1, since=since, filter=Filter(nodes=frozenset(nodes)))


def joined(channel: Channel, outlets: Outlets, path: str = "ws/1", since: Position | None = None, *nodes: str) -> Recorder:
    """Attach a new client to a channel whose state is the list of its offset."""
    recorder = Recorder()
    outlets.add(path, recorder)
    channel.attach(subscribe(path, since, *nodes), lambda: [{"state": channel.offset, "node": "a"}])
    return recorder


def at(offset: int, epoch: str = "e") -> Position:
    return Position(epoch=epoch, offset=offset)


def test_a_position_is_written_epoch_and_offset() -> None:
    """It is read as it is written."""
    assert Position.parse("1f:42") == Position(epoch="1f", offset=42)


@pytest.mark.parametrize("text", ["", "e", "e:", ":1", "e:-1", "e:1.5", "e:x", "e:\u0661", "e:1:2", "e:" + "9" * 19])
def test_anything_else_is_no_position(text: str) -> None:
    """Including digits of other scripts and numbers beyond 64 bit."""
    with pytest.raises(InvalidInput):
        Position.parse(text)


def test_offsets_count_items(channel: Channel, outlets: Outlets) -> None:
    """Each item has the next offset; a frame names its first and last."""
    recorder = joined(channel, outlets)
    channel.publish([thing(1), thing(2)])
    channel.publish([])
    channel.publish([thing(3)])
    events = recorder.of("events")
    assert [(e["epoch"], e["from"], e["to"], len(e["items"])) for e in events] == [("e", 1, 2, 2), ("e", 3, 3, 1)]
    assert channel.offset == 3


def test_ok_comes_first_then_the_snapshot_then_events(channel: Channel, outlets: Outlets) -> None:
    """The snapshot has the offset after which the events go on."""
    channel.publish([thing(1)])
    recorder = joined(channel, outlets)
    channel.publish([thing(2)])
    assert [frame["type"] for frame in recorder.frames] == ["ok", "snapshot", "events"]
    ok, snapshot, events = recorder.frames
    assert (ok["id"], ok["ch"], ok["offset"], ok["recovered"]) == (1, "things", 1, False)
    assert (snapshot["offset"], snapshot["last"], snapshot["data"]) == (1, True, [{"state": 1, "node": "a"}])
    assert events["from"] == 2


@pytest.mark.parametrize("since", range(3, 9))
def test_what_is_missing_is_replayed(channel: Channel, outlets: Outlets, since: int) -> None:
    """From the given position on, with the offsets it had."""
    for n in range(1, 9):
        channel.publish([thing(n)])
    recorder = joined(channel, outlets, "ws/1", at(since))
    assert recorder.frames[0]["recovered"] is True
    assert not recorder.of("snapshot")
    assert [item["n"] for item in recorder.items] == list(range(since + 1, 9))
    assert [(e["from"], e["to"]) for e in recorder.of("events")] == ([(since + 1, 8)] if since < 8 else [])


@pytest.mark.parametrize("since", [at(2), at(9), at(8, epoch="another")])
def test_what_cannot_be_replayed_is_a_snapshot(channel: Channel, outlets: Outlets, since: Position) -> None:
    """When the ring has moved on, for a position yet to come, or of another incarnation: never a partial replay."""
    for n in range(1, 9):
        channel.publish([thing(n)])
    recorder = joined(channel, outlets, "ws/1", since)
    assert recorder.frames[0]["recovered"] is False
    assert not recorder.of("events")
    assert [s["offset"] for s in recorder.of("snapshot")] == [8]


def test_the_ring_is_bounded_by_bytes(channel: Channel, outlets: Outlets, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many of the newest items stay as fit."""
    monkeypatch.setattr("actors.channels.RING_BYTES", 2 * len(orjson.dumps(thing(1))))
    for n in range(1, 5):
        channel.publish([thing(n)])
    assert joined(channel, outlets, "ws/1", at(2)).frames[0]["recovered"] is True
    assert joined(channel, outlets, "ws/2", at(1)).frames[0]["recovered"] is False


def test_the_ring_is_bounded_by_age(channel: Channel, outlets: Outlets, clock: Clock) -> None:
    """An item older than that is let go with the next publication."""
    channel.publish([thing(1)])
    clock.now += 3000
    channel.publish([thing(2)])
    clock.now += 700
    channel.publish([thing(3)])
    assert joined(channel, outlets, "ws/1", at(1)).frames[0]["recovered"] is True
    assert joined(channel, outlets, "ws/2", at(0)).frames[0]["recovered"] is False


def test_a_log_replays_what_it_has(channel: Channel, outlets: Outlets) -> None:
    """Without a snapshot a newcomer gets the whole ring."""
    for n in range(1, 8):
        channel.publish([thing(n)])
    recorder = Recorder()
    outlets.add("ws/1", recorder)
    channel.attach(subscribe("ws/1"), None)
    assert [item["n"] for item in recorder.items] == [3, 4, 5, 6, 7]
    assert recorder.of("events")[0]["from"] == 3


def test_equal_filters_share_one_encoding(channel: Channel, outlets: Outlets) -> None:
    """The very same bytes go to every client with the same wish."""
    one, two = joined(channel, outlets, "ws/1", None, "a", "b"), joined(channel, outlets, "ws/2", None, "b", "a")
    everything = joined(channel, outlets, "ws/3")
    channel.publish([thing(1, "a"), thing(2, "c")])
    assert one.raw[-1] is two.raw[-1]
    assert [item["n"] for item in one.items] == [1]
    assert [item["n"] for item in everything.items] == [1, 2]


def test_a_filter_that_nothing_passes_gets_nothing(channel: Channel, outlets: Outlets) -> None:
    """No frame is sent, live, in a snapshot or in a replay; offsets still count all."""
    recorder = joined(channel, outlets, "ws/1", None, "b")
    channel.publish([thing(1, "a")])
    channel.publish([thing(2, "b")])
    assert recorder.of("snapshot")[0]["data"] == []
    assert [(e["from"], e["to"]) for e in recorder.of("events")] == [(2, 2)]
    late = joined(channel, outlets, "ws/2", at(0), "c")
    assert [frame["type"] for frame in late.frames] == ["ok"]


def test_a_client_that_is_gone_is_dropped(channel: Channel, outlets: Outlets) -> None:
    """With the next publication, without harm to the others."""
    gone, stays = joined(channel, outlets, "ws/1"), joined(channel, outlets, "ws/2")
    outlets.remove("ws/1")
    channel.publish([thing(1)])
    assert channel.subscribers == 1
    assert (len(gone.items), len(stays.items)) == (0, 1)


def test_a_client_that_never_came_is_not_kept(channel: Channel) -> None:
    """A subscription of nobody is answered and forgotten."""
    assert channel.attach(subscribe("ws/9"), list).offset == 0
    assert channel.subscribers == 0


def test_nothing_is_pushed_after_detaching(channel: Channel, outlets: Outlets) -> None:
    """And detaching somebody who is not attached does nothing."""
    recorder = joined(channel, outlets)
    channel.detach("ws/1")
    channel.detach("ws/1")
    channel.publish([thing(1)])
    assert not recorder.items


def test_subscribing_again_replaces_the_subscription(channel: Channel, outlets: Outlets) -> None:
    """A client with a new filter gets every item once."""
    joined(channel, outlets, "ws/1", None, "a")
    recorder = joined(channel, outlets, "ws/1", None, "a", "b")
    channel.publish([thing(1, "a")])
    assert len(recorder.items) == 1
    assert channel.subscribers == 1


def test_a_big_snapshot_comes_in_parts(channel: Channel, outlets: Outlets, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of one offset, numbered, the last one marked."""
    monkeypatch.setattr("actors.channels.SNAPSHOT_PART", 3)
    channel.publish([thing(1)])
    recorder = Recorder()
    outlets.add("ws/1", recorder)
    channel.attach(subscribe("ws/1"), lambda: [thing(n) for n in range(7)])
    parts = recorder.of("snapshot")
    assert [(p["offset"], p["part"], p["last"], len(p["data"])) for p in parts] == [(1, 0, False, 3), (1, 1, False, 3), (1, 2, True, 1)]
    assert [item["n"] for part in parts for item in part["data"]] == list(range(7))


@pytest.mark.parametrize("known", [1, 2, 3])
def test_a_writer_that_comes_back_goes_on(channel: Channel, outlets: Outlets, known: int) -> None:
    """A new instance that knows what its clients have seen sends them only what they miss."""
    channel.publish([thing(1), thing(2)])
    recorder = joined(channel, outlets, "ws/1", at(2))
    again = Channel("things", outlets, epoch="e", offset=3 - known)
    again.load([thing(n) for n in (1, 2, 3)][-known:])
    again.reopen(lambda: ["all"])
    again.publish([thing(4)])
    assert [(e["from"], e["to"]) for e in recorder.of("events")] == [(3, 3), (4, 4)]
    assert not recorder.of("resync")


def test_a_writer_that_forgot_says_so(channel: Channel, outlets: Outlets) -> None:
    """A new instance of another epoch sends its clients `resync` and the whole state."""
    channel.publish([thing(1), thing(2)])
    recorder = joined(channel, outlets, "ws/1", at(2))
    again = Channel("things", outlets, epoch="f")
    again.reopen(lambda: ["all"])
    again.publish([thing(3)])
    assert [frame["type"] for frame in recorder.frames] == ["ok", "resync", "snapshot", "events"]
    assert [(frame["epoch"]) for frame in recorder.frames[2:]] == ["f", "f"]


def test_a_client_that_left_is_forgotten(channel: Channel, outlets: Outlets) -> None:
    """Also by a channel on which nothing is published any more."""
    joined(channel, outlets)
    outlets.remove("ws/1")
    assert channel.subscribers == 0
    assert not outlets.audiences


def choosy(channel: Channel, outlets: Outlets, snapshot: Snapshot | None) -> Choosy:
    """Attach a subscriber that can refuse."""
    client = Choosy()
    outlets.add("ws/1", client)
    channel.attach(Subscribe(channel=channel.name, subscriber="ws/1", reply_to=1), snapshot)
    client.raw.clear()
    return client


def test_who_refuses_is_left_alone_and_told_the_newest_of_each_key(outlets: Outlets) -> None:
    """`lag` says how many items that spares it; the others have got every one."""
    channel = Channel("things", outlets, epoch="e", conflate=keyed(lambda item: item["node"]))
    client, other = choosy(channel, outlets, list), joined(channel, outlets, "ws/2")
    client.room = False
    for n in range(1, 7):
        channel.publish([thing(n, "ab"[n % 2])])
    assert channel.subscribers == 1
    assert client.go_on(channel, "ws/1", list).conflated == 4
    channel.publish([thing(7)])
    lag, events, live = client.frames
    assert lag == {"type": "lag", "ch": "things", "conflated": 4}
    assert (events["from"], events["to"], [item["n"] for item in events["items"]]) == (1, 6, [5, 6])
    assert (live["from"], live["to"]) == (7, 7)
    assert [item["n"] for item in other.items] == list(range(1, 8))


def test_a_log_tells_all_that_was_refused(outlets: Outlets, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, in frames of a bounded size, each of which may be refused again."""
    monkeypatch.setattr("actors.channels.REPLAY_PART", 60)
    channel = Channel("log", outlets, epoch="e")
    client = choosy(channel, outlets, None)
    client.room = False
    for n in range(1, 21):
        channel.publish([thing(n)])
    client.go_on(channel, "ws/1", None)
    assert [item["n"] for item in client.items] == list(range(1, 21))
    assert continuous(client.of("events"))
    assert len(client.raw) > 2


def test_what_a_ring_has_lost_is_a_resync(outlets: Outlets) -> None:
    """Then the state, or for a log everything it has."""
    for snapshot in (None, lambda: ["state"]):
        channel = Channel("things", outlets, epoch="e", ring_items=3)
        client = choosy(channel, outlets, snapshot)
        client.room = False
        for n in range(1, 9):
            channel.publish([thing(n)])
        client.go_on(channel, "ws/1", snapshot)
        first, second = client.frames
        assert first == {"type": "resync", "ch": "things", "reason": "overrun"}
        assert second["type"] == ("events" if snapshot is None else "snapshot")


def test_a_long_absence_costs_no_more_than_the_state(outlets: Outlets, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a channel without keys."""
    monkeypatch.setattr("actors.channels.REPLAY_MOST", 100)
    channel = Channel("things", outlets, epoch="e")
    client = choosy(channel, outlets, lambda: ["state"])
    client.room = False
    for n in range(1, 9):
        channel.publish([thing(n)])
    client.go_on(channel, "ws/1", lambda: ["state"])
    assert [frame["type"] for frame in client.frames] == ["resync", "snapshot"]


def test_what_one_turn_brings_goes_out_together() -> None:
    """One frame object with all messages, when the turn is over; who attaches in between gets nothing twice."""
    turns: list[Callable[[], object]] = []
    outlets = Outlets(soon=turns.append)
    channel = Channel("things", outlets, epoch="e")
    early = joined(channel, outlets)
    channel.publish([thing(1)])
    assert not early.items
    late = joined(channel, outlets, "ws/2")
    channel.publish([thing(2)])
    channel.publish([thing(3)])
    for turn in turns:
        turn()
    assert [item["n"] for item in early.items] == [1, 2, 3]
    assert [item["n"] for item in late.items] == [2, 3]
    assert late.raw[-1] is early.raw[-1]


def test_many_are_served_in_several_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have the loop in between; what is published meanwhile comes after, to each in its order; who leaves is left out."""
    monkeypatch.setattr("actors.audience.TURN", 2)
    turns: list[Callable[[], object]] = []
    outlets = Outlets(soon=turns.append)
    channel = Channel("things", outlets, epoch="e")
    clients = {path: joined(channel, outlets, path) for path in "abcde"}
    channel.publish([thing(1)])
    turns.pop(0)()
    assert sum(len(client.items) for client in clients.values()) == 2
    channel.publish([thing(2)])
    gone = next(path for path, client in clients.items() if not client.items)
    channel.detach(gone)
    while turns:
        assert len(turns) == 1
        turns.pop(0)()
    assert {path: [item["n"] for item in client.items] for path, client in clients.items()} == {
        path: [] if path == gone else [1, 2] for path in "abcde"
    }


def test_an_interval_brings_the_newest_at_most_once_in_it() -> None:
    """The first at once, what follows when the time is over; positions count all."""
    alarms: list[tuple[float, Callable[[], object]]] = []
    outlets = Outlets(later=lambda delay, run: alarms.append((delay, run)))
    channel = Channel("things", outlets, epoch="e", select=by_node, conflate=keyed(lambda item: item["node"]))
    client = Recorder()
    outlets.add("ws/1", client)
    wanted = Filter(nodes=frozenset("ab"), interval=1.0)
    channel.attach(Subscribe(channel="things", subscriber="ws/1", reply_to=1, filter=wanted), list)
    for n, node in enumerate("abcab", start=1):
        channel.publish([thing(n, node)])
    assert [item["n"] for item in client.items] == [1]
    (delay, ring), *_ = alarms
    assert delay == 1.0
    ring()
    assert [(e["from"], e["to"], [i["n"] for i in e["items"]]) for e in client.of("events")] == [(1, 1, [1]), (2, 5, [4, 5])]
    alarms[1][1]()  # nothing came: the next is sent at once again
    assert len(alarms) == 2
    channel.publish([thing(6, "a")])
    assert [item["n"] for item in client.items] == [1, 4, 5, 6]


def test_frames_of_one_client_follow_each_other(channel: Channel, outlets: Outlets) -> None:
    """Replay and live events join without a seam."""
    channel.publish([thing(n) for n in range(1, 5)])
    recorder = joined(channel, outlets, "ws/1", at(2))
    channel.publish([thing(5)])
    assert continuous(recorder.of("events"))
    assert [item["n"] for item in recorder.items] == [3, 4, 5]
