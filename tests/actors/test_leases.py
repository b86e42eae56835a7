"""actors.leases"""

from actors.leases import TTL, Leases


def test_a_watch_tells_who_held_or_took_a_device_meanwhile() -> None:
    """Also of those who have let go again, but not of who came later or whose lease had lapsed."""
    leases = Leases(0)
    leases.take(("a", "b"), "d1", leases.next_token(), now=0.0)
    with leases.watched(1.0) as seen:
        leases.release("d1")
        leases.take(("b", "c"), "d2", leases.next_token(), now=1.0)
        leases.release("d2")
    leases.take(("d",), "d3", leases.next_token(), now=2.0)
    assert seen == {"a": "d1", "b": "d2", "c": "d2"}
    with leases.watched(3.0 + TTL) as later:
        assert later == {}
