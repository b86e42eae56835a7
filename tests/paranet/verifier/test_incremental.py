"""Atoms that follow single rules are the atoms of all rules."""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from paranet.verifier.incremental import Atoms, Place, Rule, following

BITS = 4
NODES = "abcd"

places = st.tuples(st.sampled_from(NODES), st.none())
"""in a network of routers, which do not care where packets come in"""
ports = st.tuples(st.sampled_from(NODES), st.sampled_from("12"))
"""in one of switches, which never send back"""
routers = st.lists(st.tuples(st.none(), places), max_size=2).map(tuple)
switches = st.lists(st.tuples(st.sampled_from("12"), ports), max_size=3).map(tuple)


def rule(node: str, length: int, number: int, hops: tuple[tuple[str | None, Place], ...]) -> Rule:
    size = 1 << (BITS - length)
    low = number % (1 << BITS) // size * size
    return Rule(node, low, low + size, length, tuple(hop for hop in hops if hop[1][0] != node))


rules = st.builds(rule, st.sampled_from(NODES), st.integers(0, BITS), st.integers(0, 15), routers) | st.builds(
    rule, st.sampled_from(NODES), st.integers(0, BITS), st.integers(0, 15), switches
)
Held = dict[tuple[str, int, int], Rule]


def steps(atoms: Atoms, held: Held, change: Rule) -> None:
    """Insert the rule; where there is one of its prefix with the same hops, take that away."""
    key = (change.node, change.length, change.low)
    if key in held and held[key].hops == change.hops:
        atoms.remove(held.pop(key))
    else:
        held[key] = change
        atoms.insert(change)


def brute_force(held: Held, address: int) -> dict[str, Rule]:
    """Return what each node does, by looking at every rule."""
    return {
        node: max(fitting, key=lambda r: r.length)
        for node in NODES
        if (fitting := [r for r in held.values() if r.node == node and r.low <= address < r.high])
    }


def circles(chosen: Mapping[str, Rule]) -> bool:
    """Tell whether a packet put in anywhere can come back to where it was: peel off what leads nowhere, see whether something is left."""
    left = {(node, None) for node in NODES} | {place for r in chosen.values() for _, place in r.hops}
    while dead := {place for place in left if not left.intersection(following(place, chosen))}:
        left -= dead
    return bool(left)


@given(st.lists(rules, max_size=14))
@settings(max_examples=200, deadline=None)
def test_every_step_is_what_all_rules_say(changes: list[Rule]) -> None:
    """After each change every address is forwarded as by its longest prefixes, and an atom circles if its packets can."""
    atoms, held = Atoms(BITS), Held()
    for change in changes:
        steps(atoms, held, change)
        whole = Atoms.of(held.values(), BITS)
        for address in range(1 << BITS):
            expected = brute_force(held, address)
            for found in (atoms, whole):
                ((_, atom),) = found.pieces(address, address + 1)
                assert atom.rules == expected
                assert bool(atom.circle) == circles(expected)
        assert [low for low, _ in atoms.pieces(0, 16)] == [low for low, _ in whole.pieces(0, 16)]


@given(st.lists(rules, max_size=12))
@settings(max_examples=100, deadline=None)
def test_a_circle_is_one(changes: list[Rule]) -> None:
    """Each place of a circle leads to the next, the last to the first."""
    atoms, held = Atoms(BITS), Held()
    for change in changes:
        steps(atoms, held, change)
        for _, atom in atoms.circling():
            around = zip(atom.circle, (*atom.circle[1:], atom.circle[0]), strict=True)
            assert all(following_place in following(place, atom.rules) for place, following_place in around)


def test_only_what_changes_is_told() -> None:
    """A rule below a longer prefix, or one that sends packets where they went before, changes no atom it does not have to."""
    to_b, to_c = ((None, ("b", None)),), ((None, ("c", None)),)
    atoms = Atoms(BITS)
    assert len(atoms.insert(Rule("a", 4, 8, 2, to_b))) == 1
    assert len(atoms.insert(Rule("a", 0, 8, 1, to_c))) == 1
    assert atoms.insert(Rule("a", 0, 4, 2, to_c)) == []
    assert len(atoms.remove(Rule("a", 4, 8, 2, ()))) == 1


def test_nothing_is_left_of_what_went() -> None:
    """Atoms are joined again when the rules that told them apart are gone."""
    atoms = Atoms(32)
    many = [Rule("a", n << 8, (n + 1) << 8, 24, ()) for n in range(50)]
    for r in many:
        atoms.insert(r)
    assert len(atoms) == 51
    for r in many:
        atoms.remove(r)
    assert len(atoms) == 1
