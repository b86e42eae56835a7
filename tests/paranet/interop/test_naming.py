"""paranet.interop.naming"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paranet.interop.naming import Ids, is_id, slug


@pytest.mark.parametrize(
    ("label", "word"),
    [
        ("Zürich HB", "zurich-hb"),
        ("  São Paulo (BR) ", "sao-paulo-br"),
        ("北京", "北京"),
        ("東京 ガ", "東京-ガ"),
        ("서울", "서울"),
        ("Łódź", "łodz"),
        ("?!", ""),
        ("x" * 200, "x" * 128),
    ],
)
def test_slugs_are_readable(label: str, word: str) -> None:
    """Accents go, letters of every script stay, the rest becomes a hyphen."""
    assert slug(label) == word


@given(st.text())
def test_a_slug_is_an_id_or_empty(text: str) -> None:
    """Whatever the label, the model takes its slug."""
    assert slug(text) == "" or is_id(slug(text))


@given(st.lists(st.sampled_from(["a", "a-2", "b", "x" * 128])))
def test_ids_are_given_out_once(words: list[str]) -> None:
    """No id is given twice, and all are ids."""
    ids = Ids()
    given_out = [ids.take(word) for word in words]
    assert len(set(given_out)) == len(words)
    assert all(map(is_id, given_out))
