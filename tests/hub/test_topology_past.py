"""The topology's past over REST: what lies between revisions, and going back."""

from tests.hub.api import Api
from tests.hub.networks import NODES, build_square


async def changed(api: Api) -> None:
    """Make revisions 1 (the square), 2 (r1 moved to a region) and 3 (r4 gone)."""
    await build_square(api)
    await api.call("PUT", "/topology/nodes/r1", json={"id": "r1", "region": "north"})
    await api.call("DELETE", "/topology/nodes/r4?cascade=true")


async def test_the_difference_between_two_revisions(operator: Api) -> None:
    """Ids by kind, and for what changed the fields."""
    await changed(operator)
    status, body, _ = await operator.call("GET", "/topology/diff?from=1&to=2")
    assert (status, body["changed"]["nodes"], body["removed"]["nodes"]) == (200, ["r1"], [])
    assert body["fields"]["nodes"]["r1"]["region"] == {"from": None, "to": "north"}
    _, body, _ = await operator.call("GET", "/topology/diff?from=1")
    assert (body["to"], body["removed"]["nodes"], body["removed"]["links"]) == (3, ["r4"], ["r3-r4", "r4-r1"])
    _, body, _ = await operator.call("GET", "/topology/diff?from=3&to=0")
    assert body["removed"]["nodes"] == ["r1", "r2", "r3"]


async def test_a_revision_is_restored_as_a_new_one(operator: Api) -> None:
    """All of it, with its own entry in the history; restoring what is there makes no revision."""
    await changed(operator)
    status, body, headers = await operator.call("POST", "/topology/restore/1")
    assert (status, body["revision"], body["added"]["nodes"], headers["ETag"]) == (200, 4, ["r4"], '"4"')
    _, whole, _ = await operator.call("GET", "/topology")
    assert {n["id"]: n["region"] for n in whole["nodes"]} == dict.fromkeys(NODES)
    _, history, _ = await operator.call("GET", "/topology/history?limit=1")
    assert history["items"][0]["summary"] == "restored revision 1"
    assert (await operator.call("POST", "/topology/restore/4"))[1]["revision"] == 4


async def test_what_never_was_cannot_be_restored(operator: Api) -> None:
    """404 for a later revision, 400 for what is none, 412 on an old topology; 404 to compare with it."""
    await changed(operator)
    assert (await operator.call("POST", "/topology/restore/9"))[0] == 404
    assert (await operator.call("POST", "/topology/restore/x"))[0] == 400
    status, body, _ = await operator.call("POST", "/topology/restore/1", headers={"If-Match": '"2"'})
    assert (status, body["revision"]) == (412, 3)
    assert (await operator.call("GET", "/topology/diff?from=1&to=9"))[0] == 404
    assert (await operator.call("GET", "/topology/diff"))[0] == 400


async def test_lists_are_filtered_sorted_and_paged(operator: Api) -> None:
    """In both directions, each item once."""
    await changed(operator)
    for sort, wanted in (("name", ["r1", "r2", "r3"]), ("-id", ["r3", "r2", "r1"]), ("-region", ["r1", "r3", "r2"])):
        found, cursor = [], ""
        while True:
            _, body, _ = await operator.call("GET", f"/topology/nodes?sort={sort}&limit=2{cursor}")
            found += [item["id"] for item in body["items"]]
            if body["next"] is None:
                break
            cursor = f"&cursor={body['next']}"
        assert found == wanted
    for query, count in (("nodes?q=R2", 1), ("nodes?region=north", 1), ("nodes?modality=ndn", 0), ("links?enabled=true&node=r2", 2)):
        _, body, _ = await operator.call("GET", f"/topology/{query}")
        assert len(body["items"]) == count, query
    for query in ("nodes?sort=colour", "links?enabled=perhaps", "nodes?sort=name&cursor=gone"):
        assert (await operator.call("GET", f"/topology/{query}"))[0] == 400


async def test_nodes_without_a_location_get_a_place_to_be_drawn(operator: Api) -> None:
    """The same one each time, unless the import says no."""
    await build_square(operator)
    _, whole, _ = await operator.call("GET", "/topology")
    places = [(n["display"]["x"], n["display"]["y"]) for n in whole["nodes"]]
    assert len(set(places)) == 4
    status, body, _ = await operator.call("POST", "/topology/import?layout=false", json={"nodes": [{"id": "r1"}]})
    assert (status, body["removed"]["nodes"]) == (200, ["r2", "r3", "r4"])
    assert (await operator.call("GET", "/topology/nodes/r1"))[1]["display"] is None
