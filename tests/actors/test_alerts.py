"""actors.alerts: whole stories over a collector, with the clock in the test's hand."""

from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest

from actors.alerting import Acknowledge, GetChanges, ListRules, PutRule
from actors.channels import Subscribe
from paranet.errors import AlreadyExists
from tests.actors.conftest import Clock
from tests.actors.evaluating import Bench, T, evaluating
from tests.actors.recorder import Recorder


@pytest.fixture
async def bench(tmp_path: Path, clock: Clock) -> AsyncIterator[Bench]:
    async with evaluating(tmp_path, clock) as started:
        yield started


async def test_an_alert_lives_its_life(bench: Bench) -> None:
    """Pending until `for` has passed, firing, recovering for `keep_firing_for`, resolved; every step is in the history."""
    await bench.put(expr="heat > 5", **{"for": "10s"}, keep_firing_for="10s", annotations={"summary": "{{ $labels.node }} at {{ $value }}"})
    await bench.feed("heat", 9, node="a")
    assert await bench.turn() == {"a": "pending"}
    assert await bench.turn(9) == {"a": "pending"}
    assert await bench.turn(1) == {"a": "firing"}
    (alert,) = await bench.shown()
    assert (alert["annotations"], alert["value"]) == ({"summary": "a at 9"}, 9)
    bench.clock.now += 1
    await bench.feed("heat", 1, node="a")
    assert await bench.turn() == {"a": "recovering"}
    bench.clock.now += 1
    await bench.feed("heat", 9, node="a")
    assert await bench.turn() == {"a": "firing"}
    bench.clock.now += 1
    await bench.feed("heat", 1, node="a")
    await bench.turn()
    assert await bench.turn(10) == {"a": "resolved"}
    rows = await bench.alerts.ask(GetChanges(alert=alert["id"], limit=100, before=1 << 62), timeout=T)
    assert [row["after"] for row in reversed(rows)] == ["pending", "firing", "recovering", "firing", "recovering", "resolved"]


async def test_hysteresis(bench: Bench) -> None:
    """A firing alert with `clear_expr` goes when that holds, not before."""
    await bench.put(expr="heat > 5", clear_expr="heat < 3")
    for value, state in ((9, "firing"), (4, "firing"), (5, "firing"), (2, "resolved"), (4, None), (6, "firing")):
        await bench.feed("heat", value, node="a")
        states = await bench.turn()
        assert states["a"] == (state or "resolved")
        bench.clock.now += 1


@pytest.mark.parametrize(("policy", "state"), [("hold", "firing"), ("resolve", "resolved"), ("fire", "firing")])
async def test_missing_data(bench: Bench, policy: str, state: str) -> None:
    """When the series is gone the rule says so itself, and the alert does what its policy says."""
    await bench.put(expr="heat > 5", on_missing=policy)
    await bench.feed("heat", 9, node="a")
    assert await bench.turn() == {"a": "firing"}
    assert await bench.turn(301) == {"a": state}
    rules = {rule.id: health for rule, health, *_ in await bench.alerts.ask(ListRules(), timeout=T)}
    assert rules["hot"] == "nodata"


async def test_a_rule_that_fails_says_so(bench: Bench) -> None:
    """Its alerts stay as they are."""
    await bench.put(expr="heat + on() cold > 5")
    await bench.feed("heat", 9, node="a")
    await bench.feed("cold", 1, node="a")
    assert await bench.turn() == {"Hot": "firing"}
    await bench.feed("cold", 1, node="b")
    await bench.turn()
    rules = {rule.id: (health, error) for rule, health, error, _ in await bench.alerts.ask(ListRules(), timeout=T)}
    assert rules["hot"][0] == "error"
    assert "duplicate series" in rules["hot"][1]
    assert await bench.states() == {"Hot": "firing"}


async def test_state_survives_a_restart(tmp_path: Path, clock: Clock) -> None:
    """Since when it fires, and who has taken notice."""
    async with evaluating(tmp_path, clock) as bench:
        await bench.put(expr="heat > 5")
        await bench.feed("heat", 9, node="a")
        await bench.turn()
        (alert,) = await bench.shown()
        await bench.alerts.ask(Acknowledge(id=alert["id"], by="ann", comment="mine"), timeout=T)
        (before,) = await bench.shown()
    clock.now += 60
    async with evaluating(tmp_path, clock) as bench:
        (after,) = await bench.shown()
    assert after == before
    assert after["acknowledged"]["by"] == "ann"


async def test_a_dead_device_silences_its_links_and_a_dead_link_its_losses(bench: Bench) -> None:
    """The hub knows the graph; evaluation goes on, and when the cause is over the flag is too."""
    await bench.put(id="node", name="Node", expr="up == 0", labels={"scope": "node"})
    await bench.put(id="link", name="Link", expr="link == 0", labels={"scope": "link"})
    await bench.put(id="loss", name="Loss", expr="loss > 0", labels={"scope": "flow"})
    await bench.feed("link", 0, link="a-b")
    await bench.feed("loss", 1, flow="f")
    await bench.turn()
    flags = {a["name"]: a["inhibited"] for a in await bench.shown()}
    assert flags["Link"] is None
    assert flags["Loss"].startswith("Link ")
    await bench.feed("up", 0, node="a")
    await bench.turn()
    assert {a["name"] for a in await bench.shown() if a["inhibited"]} == {"Link", "Loss"}
    bench.clock.now += 1
    await bench.feed("up", 1, node="a")
    await bench.turn()
    assert {a["name"]: bool(a["inhibited"]) for a in await bench.shown()} == {"Node": False, "Link": False, "Loss": True}


async def test_flapping_is_seen_and_quiet(bench: Bench) -> None:
    """More changes than `high` within ten minutes; below `low` it is over."""
    await bench.put(expr="heat > 5", flap={"high": 3, "low": 2})
    for i in range(5):
        await bench.feed("heat", 9 if i % 2 == 0 else 1, node="a")
        await bench.turn()
        bench.clock.now += 10
    (alert,) = await bench.shown()
    assert alert["flapping"] is True
    bench.clock.now += 600
    await bench.feed("heat", 9, node="a")
    await bench.turn()
    (alert,) = await bench.shown()
    assert alert["flapping"] is False


async def test_the_channel_shows_states(bench: Bench) -> None:
    """A snapshot, then each alert as it changes, keyed by id."""
    recorder = Recorder()
    bench.outlets.add("ws/1", recorder)
    await bench.alerts.ask(Subscribe(channel="alerts", subscriber="ws/1", reply_to=0), timeout=T)
    await bench.put(expr="heat > 5")
    await bench.feed("heat", 9, node="a")
    await bench.turn()
    assert [(item["state"], item["labels"]["node"]) for item in recorder.items] == [("firing", "a")]


async def test_rules_that_are_triggered_by_samples(bench: Bench) -> None:
    """Evaluated as soon as a sample of their metrics has come."""
    recorder = Recorder()
    bench.outlets.add("ws/1", recorder)
    await bench.alerts.ask(Subscribe(channel="alerts", subscriber="ws/1", reply_to=0), timeout=T)
    await bench.put(expr="heat > 5", trigger="sample")
    await bench.feed("heat", 9, node="a")
    await recorder.until(lambda r: r.items)
    assert recorder.items[0]["state"] == "firing"


async def test_rules_are_kept_and_the_first_ones_come_once(tmp_path: Path, clock: Clock) -> None:
    """A default rule that was changed or deleted does not come back."""
    async with evaluating(tmp_path, clock) as bench:
        ids = [rule.id for rule, *_ in await bench.alerts.ask(ListRules(), timeout=T)]
        assert {"device-unreachable", "link-down", "link-busy", "packet-loss", "deployment-failed", "deployment-rolled-back"} <= set(ids)
        rules = {rule.id: rule for rule, *_ in await bench.alerts.ask(ListRules(), timeout=T)}
        with pytest.raises(AlreadyExists):
            await bench.alerts.ask(PutRule(rule=rules["link-down"], new=True), timeout=T)
        await bench.alerts.ask(PutRule(rule=attrs.evolve(rules["link-down"], enabled=False), new=False), timeout=T)
    async with evaluating(tmp_path, clock) as bench:
        rules = {rule.id: rule for rule, *_ in await bench.alerts.ask(ListRules(), timeout=T)}
        assert list(rules) == ids
        assert rules["link-down"].enabled is False
