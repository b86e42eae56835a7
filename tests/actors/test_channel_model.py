"""actors.channels against a model: whatever clients come, go and refuse, each ends up with the state."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.channels import Channel, Outlets, Position, Subscribe, keyed
from tests.actors.conftest import Clock
from tests.actors.recorder import Choosy, Recorder


class Client:
    """What a dashboard does: keep the state that frames describe, and the position it has reached."""

    def __init__(self) -> None:
        self.view: dict[str, int] = {}
        self.position: Position | None = None

    def read(self, recorder: Recorder) -> None:
        frames = recorder.frames
        recorder.raw.clear()
        for frame in frames:
            if frame["type"] == "resync":
                self.position = None
            elif frame["type"] == "snapshot":
                self.view = dict(frame["data"]) if frame["part"] == 0 else self.view | dict(frame["data"])
                self.position = Position(epoch=frame["epoch"], offset=frame["offset"])
            elif frame["type"] == "events":
                assert self.position is not None, "events came before a snapshot"
                assert frame["from"] == self.position.offset + 1, "a gap or a duplicate"
                assert frame["to"] - self.position.offset >= len(frame["items"])
                self.view |= {item["key"]: item["value"] for item in frame["items"]}
                self.position = Position(epoch=frame["epoch"], offset=frame["to"])


keys = st.lists(st.sampled_from("abcdefgh"), max_size=4)
names = st.sampled_from(["ws/1", "ws/2", "ws/3"])


class ChannelModel(RuleBasedStateMachine):
    """One writer with a state, clients that come, go and come back; the ring is small, and time and bytes trim it."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("actors.channels.SNAPSHOT_PART", 3)
        self.patch.setattr("actors.channels.RING_BYTES", 150)
        self.patch.setattr("actors.audience.TURN", 1)
        self.turns: list[Callable[[], object]] = []
        self.outlets, self.clock, self.values = Outlets(soon=self.turns.append), Clock(0.0), itertools.count()
        self.channel = self.opened("e1", 0)
        self.state: dict[str, int] = {}
        self.history: list[dict[str, Any]] = []
        self.clients: dict[str, Client] = {}
        self.attached: dict[str, Choosy] = {}

    def opened(self, epoch: str, offset: int) -> Channel:
        conflate = keyed(lambda item: item["key"])
        return Channel("model", self.outlets, epoch=epoch, offset=offset, conflate=conflate, clock=self.clock, ring_items=6)

    @precondition(lambda self: self.turns)
    @rule()
    def turn(self) -> None:
        """The loop comes round; one client more is served."""
        self.turns.pop(0)()

    @rule()
    def quiet(self) -> None:
        """Nothing is left to do."""
        while self.turns:
            self.turns.pop(0)()

    @precondition(lambda self: self.attached)
    @rule(name=names)
    def stop_reading(self, name: str) -> None:
        if name in self.attached:
            self.attached[name].room = False

    @precondition(lambda self: self.attached)
    @rule(name=names)
    def read_again(self, name: str) -> None:
        client = self.attached.get(name)
        if client is None:
            return
        self.quiet()
        if client.refused_at is not None:
            client.go_on(self.channel, name, self.snapshot)
        client.room = True

    @rule(wanted=keys)
    def publish(self, wanted: list[str]) -> None:
        self.channel.publish(self.remember(wanted))

    def remember(self, wanted: list[str]) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = [{"key": key, "value": next(self.values)} for key in wanted]
        self.state |= {item["key"]: item["value"] for item in items}
        self.history += items
        return items

    def snapshot(self) -> list[Any]:
        return [[key, value] for key, value in self.state.items()]

    @rule(seconds=st.sampled_from([60.0, 2000.0, 4000.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(name=names, resume=st.booleans())
    def attach(self, name: str, resume: bool) -> None:
        client = self.clients.setdefault(name, Client())
        recorder = self.attached[name] = Choosy()
        self.outlets.add(name, recorder)
        request = Subscribe(channel="model", subscriber=name, reply_to=0, since=client.position if resume else None)
        result = self.channel.attach(request, self.snapshot)
        assert result.recovered is (not recorder.of("snapshot"))

    @precondition(lambda self: self.attached)
    @rule(name=names, politely=st.booleans())
    def leave(self, name: str, politely: bool) -> None:
        if politely:
            self.channel.detach(name)
        self.outlets.remove(name)
        self.attached.pop(name, None)

    @rule(known=st.integers(0, 8), unseen=keys, durable=st.booleans())
    def restart(self, known: int, unseen: list[str], durable: bool) -> None:
        """The writer crashes, perhaps between its store and its channel, and comes back with what its store has."""
        self.remember(unseen)
        offset = len(self.history)
        recent = self.history[max(0, offset - known) :] if durable else []
        epoch = self.channel.epoch if durable else f"e{next(self.values)}"
        self.channel = self.opened(epoch, offset - len(recent))
        self.channel.load(recent)
        self.channel.reopen(self.snapshot)

    @invariant()
    def every_client_that_reads_sees_the_writers_state(self) -> None:
        for name, recorder in self.attached.items():
            client = self.clients[name]
            client.read(recorder)
            if not self.turns and recorder.room and recorder.refused_at is None:
                assert client.view == self.state
                assert client.position == Position(epoch=self.channel.epoch, offset=self.channel.offset)

    def teardown(self) -> None:
        self.patch.undo()


class TestChannelModel(ChannelModel.TestCase):  # type: ignore[misc,valid-type]  # hypothesis makes the class at run time
    """Whatever happens in which order: no gap, no duplicate, and the same state on both sides."""

    settings = settings(max_examples=500, stateful_step_count=30)
