"""actors.notifier: who is told what, when, how often and why not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.alertbook import AlertBook
from actors.alerting import Acknowledge, EndSilence, Pair, PutSilence, Silence
from actors.alerts import Reflag
from actors.notifier import EXPIRES, Again, Refresh
from actors.storage import Database
from actors.times import rfc3339
from paranet.errors import WrongState
from tests.actors.conftest import Clock
from tests.actors.evaluating import Bench, T, evaluating


@pytest.fixture
async def bench(tmp_path: Path, clock: Clock) -> AsyncIterator[Bench]:
    async with evaluating(tmp_path, clock) as started:
        yield started


async def test_notices_are_grouped_sent_once_and_explained(bench: Bench) -> None:
    """One body a group; what was told is not told again; every decision is in the log."""
    await bench.put(expr="heat > 5", severity="critical")
    for node in "ab":
        await bench.feed("heat", 9, node=node)
    await bench.turn()
    (body,) = await bench.told()
    assert (body["version"], body["status"], len(body["alerts"])) == ("4", "firing", 2)
    assert body["groupLabels"] == {"alertname": "Hot"}
    assert body["commonLabels"] == {"alertname": "Hot", "severity": "critical"}
    assert len(await bench.told()) == 1
    bench.clock.now += 1
    for node in "ab":
        await bench.feed("heat", 1, node=node)
    await bench.turn()
    bodies = await bench.told()
    assert [b["status"] for b in bodies] == ["firing", "resolved"]
    assert await bench.decisions() == [("sent", "attempt 1")] * 2 + [("not-sent", "told already")] * 2 + [("sent", "attempt 1")] * 2


async def test_a_restart_remembers_what_was_told(tmp_path: Path, clock: Clock) -> None:
    """What fires still is not told again, and who was told that it fires is told that it is over."""
    async with evaluating(tmp_path, clock) as bench:
        await bench.put(expr="heat > 5")
        await bench.feed("heat", 9, node="a")
        await bench.turn()
        assert [body["status"] for body in await bench.told()] == ["firing"]
    clock.now += 60
    async with evaluating(tmp_path, clock) as bench:
        assert await bench.told() == []
        assert await bench.decisions() == [("sent", "attempt 1"), ("not-sent", "told already")]
        await bench.feed("heat", 1, node="a")
        await bench.turn()
        assert [body["status"] for body in await bench.told()] == ["resolved"]
    clock.now += 1
    async with evaluating(tmp_path, clock) as bench:
        await bench.feed("heat", 9, node="a")
        await bench.turn()
        assert [body["status"] for body in await bench.told()] == ["firing"]


async def test_a_group_that_is_gone_is_not_missed(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """The timer that would repeat it may still run: nothing is told, nothing crashes."""
    await bench.put(expr="heat > 5")
    await bench.feed("heat", 9, node="a")
    now = bench.clock.now
    silence = Silence(id="s1", matchers=(Pair(name="node", value="a"),), starts_at=now, ends_at=now + 60, by="ann")
    await bench.alerts.ask(PutSilence(silence=silence), timeout=T)
    await bench.turn()
    assert await bench.told() == []
    bench.clock.now += 1
    await bench.feed("heat", 1, node="a")
    await bench.turn()
    assert await bench.told() == []
    assert await bench.told() == []
    assert "crashed" not in caplog.text


async def test_an_alertmanager_hears_again_of_what_fires(tmp_path: Path, clock: Clock) -> None:
    """Each minute, with a time until which to believe it: it takes for over what is not repeated."""
    async with evaluating(tmp_path, clock, webhook="", alertmanager="http://am/") as bench:
        await bench.put(expr="heat > 5")
        for node in "ab":
            await bench.feed("heat", 9, node=node)
        await bench.turn()
        clock.now += 1
        await bench.feed("heat", 1, node="b")
        assert len(await bench.told()) == 1
        await bench.turn()
        await bench.told()
        clock.now += 60
        bench.system.ref("alerts/notifier").tell(Refresh())
        *_, refreshed = await bench.told()
    assert {url for url, _ in bench.post.bodies} == {"http://am/api/v2/alerts"}
    assert [(alert["labels"]["node"], alert["endsAt"]) for alert in refreshed] == [("a", rfc3339(clock.now + EXPIRES))]


async def test_what_is_quiet_is_not_told(bench: Bench) -> None:
    """Acknowledged or silenced: the log says which; a silence that ends lets the notice go."""
    await bench.put(expr="heat > 5")
    await bench.feed("heat", 9, node="a")
    now = bench.clock.now
    silence = Silence(id="s1", matchers=(Pair(name="node", value="a|b", regex=True),), starts_at=now, ends_at=now + 60, by="ann")
    await bench.alerts.ask(PutSilence(silence=silence), timeout=T)
    await bench.turn()
    assert await bench.told() == []
    assert await bench.decisions() == [("not-sent", "silenced by s1")]
    await bench.alerts.ask(EndSilence(id="s1"), timeout=T)
    assert len(await bench.told()) == 1
    (alert,) = await bench.shown()
    acknowledged = await bench.alerts.ask(Acknowledge(id=alert["id"], by="ann", until=now + 5), timeout=T)
    assert acknowledged["acknowledged"]["by"] == "ann"
    bench.clock.now += 6
    bench.alerts.tell(Reflag())
    (alert,) = await bench.shown()
    assert alert["acknowledged"] is None
    await bench.feed("heat", 1, node="a")
    await bench.turn()
    with pytest.raises(WrongState):
        await bench.alerts.ask(Acknowledge(id=alert["id"], by="ann"), timeout=T)


async def test_a_receiver_that_fails_is_tried_again(bench: Bench) -> None:
    """503 is worth another attempt, 400 is not."""
    await bench.put(expr="heat > 5")
    await bench.feed("heat", 9, node="a")
    bench.post.statuses = [503]
    await bench.turn()
    await bench.told()
    first, *later = await bench.decisions()
    assert first == ("retry", "HTTP 503: again in 1 s")
    assert later in ([], [("sent", "attempt 2")])  # on a slow machine the next attempt is over as well
    bench.clock.now += 1
    bench.post.statuses = [400]
    await bench.feed("heat", 1, node="a")
    await bench.turn()
    await bench.told()
    assert ("failed", "HTTP 400: not tried again") in await bench.decisions()


async def test_each_receiver_is_told_what_it_has_not_heard(tmp_path: Path, clock: Clock) -> None:
    """Who refused a notice gets it again with the next; that it is over hears who heard that it fires, also after a restart."""
    hook, manager = "http://x/hook", "http://am"
    async with evaluating(tmp_path, clock, webhook=hook, alertmanager=manager) as bench:
        await bench.put(expr="heat > 5")
        await bench.feed("heat", 9, node="a")
        await bench.turn()
        bench.post.refusing = hook
        await bench.told()
        assert sorted(await bench.decisions()) == [("failed", "HTTP 400: not tried again"), ("sent", "attempt 1")]
        bench.post.refusing = manager
        await bench.told()
        assert [url for url, _ in bench.post.bodies] == [f"{manager}/api/v2/alerts", hook]
        assert sorted((await bench.decisions())[2:]) == [("not-sent", "told already"), ("sent", "attempt 1")]
        await bench.feed("heat", 9, node="b")
        bench.post.refusing = hook
        await bench.turn(1)
        await bench.told()
        assert [[alert["labels"]["node"] for alert in body] for _, body in bench.post.bodies[2:]] == [["b"]]
    clock.now += 60
    async with evaluating(tmp_path, clock, webhook=hook, alertmanager=manager) as bench:
        for node in "ab":
            await bench.feed("heat", 1, node=node)
        await bench.turn()
        await bench.told()
        bodies = dict(bench.post.bodies)
        assert [alert["labels"]["node"] for alert in bodies[hook]["alerts"]] == ["a"]
        assert sorted(alert["labels"]["node"] for alert in bodies[f"{manager}/api/v2/alerts"]) == ["a", "b"]
        assert ("not-sent", "it was not told that it fired") in await bench.decisions()


async def test_a_late_attempt_does_not_undo_what_is_newer(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """That an alert fires is not told after the word that it is over."""
    monkeypatch.setattr("actors.notifier.BACKOFF", (3600.0,))
    await bench.put(expr="heat > 5")
    await bench.feed("heat", 9, node="a")
    bench.post.statuses = [503]
    await bench.turn()
    assert await bench.told() == []
    late = Again(group="Hot", receiver="webhook", alerts=await bench.shown(), attempt=1)
    bench.clock.now += 1
    await bench.feed("heat", 1, node="a")
    await bench.turn()
    await bench.told()
    bench.system.ref("alerts/notifier").tell(late)
    assert [body["status"] for body in await bench.told()] == ["resolved"]
    assert (await bench.decisions())[-1] == ("not-sent", "overtaken by what came of it since")


async def test_one_busy_receiver_makes_no_other_forget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was told is remembered for each receiver apart, however many decisions the log has seen since."""
    monkeypatch.setattr("actors.alertbook.KEEP", 1)
    monkeypatch.setattr("actors.alertbook.KEEP_TOLD", 2)
    control = await Database.open(tmp_path / "control.sqlite3", "control")
    book = AlertBook(control)

    async def sent(receiver: str, alert: str, at: float, state: str = "firing") -> None:
        await book.decide([(at, alert, {"decision": "sent", "state": state, "receiver": receiver, "reason": "attempt 1"})])

    await sent("webhook", "x", 1.0)
    for at in (2.0, 3.0, 4.0):
        await sent("alertmanager", f"y{at:g}", at)
    assert await book.told() == {("webhook", "x"): 1.0, ("alertmanager", "y3"): 3.0, ("alertmanager", "y4"): 4.0}
    await sent("alertmanager", "y4", 5.0, "resolved")
    assert await book.told() == {("webhook", "x"): 1.0, ("alertmanager", "y3"): 3.0}
    assert len(await book.decisions(None, 10, 1 << 62)) == 1
    await control.close()
