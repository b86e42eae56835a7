"""paranet.models.names"""

import pytest

from paranet.errors import BadField
from paranet.models.names import check_name
from paranet.models.topology import Node


@pytest.mark.parametrize("name", ["/", "/a", "/com/example/video/%FD%01", "ndn:/a/54=%00", "/a.b/...", "/a/"])
def test_names(name: str) -> None:
    """URIs of the NDN packet format."""
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "a", "//", "/a//b", "/a b", "/a/..", "/%G0", "/é", "/" + "a" * 2048])
def test_what_is_no_name(name: str) -> None:
    """A node's prefixes are checked; the fault names the field."""
    with pytest.raises(BadField) as caught:
        Node(id="a", prefixes=(name,))
    assert caught.value.field == "prefixes"
