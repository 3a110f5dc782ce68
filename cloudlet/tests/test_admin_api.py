"""The Admin API through the official SDK."""

import io
from typing import Any

import pytest
import urllib3
from cloudinary import api, uploader
from cloudinary.exceptions import AlreadyExists, AuthorizationRequired, BadRequest, NotFound, RateLimited
from pictures import png
from servers import threaded_cloudlet

pytestmark = pytest.mark.usefixtures("server")


@pytest.fixture(scope="module")
def server_options() -> list[str]:
    """Give the module its own server, because its tests list everything that is stored."""
    return []


def upload(public_id: str, **options: Any) -> dict[str, Any]:
    result: dict[str, Any] = uploader.upload(png(), public_id=public_id, **options)
    return result


def ids(answer: dict[str, Any]) -> list[str]:
    return [resource["public_id"] for resource in answer["resources"]]


def test_responses_have_rate_limits_and_a_request_id() -> None:
    answer = api.ping()
    assert answer == {"status": "ok"}
    assert answer.rate_limit_allowed == 5000
    assert 0 < answer.rate_limit_remaining < 5000
    assert answer.rate_limit_reset_at is not None
    assert len(answer.request_id) == 32


def test_calls_beyond_the_rate_limit_get_420() -> None:
    with threaded_cloudlet("--rate-limit", "2") as limited:
        for _ in range(2):
            api.ping(**limited.sdk_config)
        with pytest.raises(RateLimited, match="Rate Limit Exceeded"):
            api.ping(**limited.sdk_config)


def test_wrong_credentials_are_refused() -> None:
    with pytest.raises(AuthorizationRequired, match="api_secret mismatch"):
        api.ping(api_secret="wrong")
    with pytest.raises(AuthorizationRequired, match="unknown api_key"):
        api.ping(api_key="wrong", cloud_name="other")
    with pytest.raises(AuthorizationRequired, match="cloud_name mismatch"):
        api.ping(cloud_name="other")


def test_paging_lists_each_asset_once() -> None:
    wanted = {f"paged/{number}" for number in range(7)}
    for public_id in wanted:
        upload(public_id)
    seen: list[str] = []
    cursor = None
    while True:
        answer = api.resources(type="upload", prefix="paged/", max_results=3, next_cursor=cursor)
        seen += ids(answer)
        cursor = answer.get("next_cursor")
        if not cursor:
            break
    assert sorted(seen) == sorted(wanted)
    with pytest.raises(BadRequest, match="next_cursor"):
        api.resources(next_cursor="rubbish")


def test_assets_are_listed_by_tag_context_moderation_id_and_folder() -> None:
    one = upload("find/one", tags=["find", "x"], context={"colour": "red"}, moderation="manual")
    two = upload("find/two", tags=["find"], context={"colour": "blue"})
    assert ids(api.resources_by_tag("x")) == ["find/one"]
    assert ids(api.resources_by_context("colour", "blue")) == ["find/two"]
    assert sorted(ids(api.resources_by_context("colour"))) == ["find/one", "find/two"]
    assert ids(api.resources_by_moderation("manual", "pending")) == ["find/one"]
    assert sorted(ids(api.resources_by_ids(["find/one", "find/two", "find/none"]))) == ["find/one", "find/two"]
    assert ids(api.resources_by_asset_ids([two["asset_id"]])) == ["find/two"]
    in_folder = api.resources_by_asset_folder("find", max_results=1)
    assert (ids(in_folder), in_folder["total_count"]) == (["find/two"], 2)
    (shown,) = api.resources(type="upload", prefix="find/o", fields=["tags", "url"])["resources"]
    assert shown.keys() == {"asset_id", "public_id", "folder", "tags", "url"}
    assert api.resource_by_asset_id(one["asset_id"])["public_id"] == "find/one"
    with pytest.raises(NotFound, match="Resource not found - find/none"):
        api.resource("find/none")
    assert "find" in api.tags(max_results=500)["tags"]


def test_listing_by_prefix_includes_tags_and_context_on_request() -> None:
    upload("listed/tagged", tags=["mine"], context={"k": "v"}, type="authenticated")
    upload("listed/plain", type="authenticated")

    def listed(**options: Any) -> dict[str, Any]:
        answer = api.resources(type="authenticated", prefix="listed/", **options)
        return {found["public_id"]: (found.get("tags"), found.get("context")) for found in answer["resources"]}

    assert listed() == {"listed/tagged": (None, None), "listed/plain": (None, None)}
    assert listed(tags=True) == {"listed/tagged": (["mine"], None), "listed/plain": ([], None)}
    assert listed(context=True)["listed/tagged"] == (None, {"custom": {"k": "v"}})
    upload("listed/tagged", tags="theirs", type="authenticated")
    assert listed(tags=True)["listed/tagged"] == (["theirs"], None), "an upload replaces all tags"


def test_update_changes_tags_context_and_moderation() -> None:
    upload("update/me", tags=["old"], moderation="manual")
    answer = api.update("update/me", tags="new,newer", context={"k": "v"}, moderation_status="approved")
    assert (answer["tags"], answer["context"]) == (["new", "newer"], {"custom": {"k": "v"}})
    assert answer["moderation"][0]["status"] == "approved"
    with pytest.raises(BadRequest, match="Illegal value illegal"):
        api.update("update/me", categorization="illegal")


def test_deleting_by_ids_prefix_tag_and_all() -> None:
    for public_id in ("del/a", "del/b", "del/c", "gone/d"):
        upload(public_id, tags=["del_tag"] if public_id == "del/c" else [])
    answer = api.delete_resources(["del/a", "del/none"])
    assert answer["deleted"] == {"del/a": "deleted", "del/none": "not_found"}
    assert answer["deleted_counts"]["del/a"] == {"original": 1, "derived": 0}
    assert api.delete_resources_by_tag("del_tag")["deleted"] == {"del/c": "deleted"}
    assert api.delete_resources_by_prefix("del/")["deleted"] == {"del/b": "deleted"}
    uploader.upload(io.BytesIO(b"x"), resource_type="raw", type="private", public_id="p")
    assert api.delete_all_resources(resource_type="raw", type="private")["deleted"] == {"p": "deleted"}
    kept = uploader.upload(png(), public_id="gone/d", eager=[{"width": 5, "crop": "scale"}])
    answer = api.delete_resources(["gone/d"], keep_original=True)
    assert answer["deleted_counts"]["gone/d"] == {"original": 0, "derived": 1}
    assert api.resource("gone/d")["derived"] == []
    assert api.delete_resources_by_asset_ids([kept["asset_id"]])["deleted"] == {kept["asset_id"]: "deleted"}


def test_backups_restore_deleted_and_earlier_versions() -> None:
    first = upload("backed", backup=True)
    second = uploader.upload(png(77), public_id="backed", backup=True)
    versions = api.resource("backed", versions=True)["versions"]
    assert [version["version"] for version in versions] == [str(first["version"]), str(second["version"])]
    assert [version["version_id"] for version in versions] == [first["version_id"], second["version_id"]]
    api.delete_resources(["backed"])
    placeholder = api.resource("backed")
    assert (placeholder["placeholder"], placeholder["bytes"]) == (True, 0)
    restored = api.restore(["backed", "never"])
    assert (restored["backed"]["width"], restored["never"]) == (77, {"error": "no_backup"})
    earlier = api.restore(["backed"], versions=[versions[0]["version_id"]])["backed"]
    assert earlier["width"] == 30
    assert urllib3.request("GET", earlier["url"], timeout=10).data == png().getvalue()


def test_deleting_backups_keeps_the_asset() -> None:
    made = [uploader.upload(png(width), public_id="spared", backup=True) for width in (11, 12, 13)]
    asset_id, ids_ = made[0]["asset_id"], [version["version_id"] for version in made]
    assert api.restore(["spared"], versions=[ids_[2]])["spared"]["version"] == made[2]["version"]
    assert api.delete_backed_up_assets(asset_id, ids_[0])["deleted_version_ids"] == [ids_[0]]
    left = api.resource("spared", versions=True)["versions"]
    assert [version["version_id"] for version in left] == ids_[1:]
    assert api.delete_backed_up_assets(asset_id, ids_[1:])["deleted_version_ids"] == ids_[1:]
    spared = api.resource("spared", versions=True)
    assert (spared["versions"], spared["width"], spared["backup"]) == ([], 13, False)
    assert urllib3.request("GET", spared["url"], timeout=10).data == png(13).getvalue()


def test_folders() -> None:
    upload("top/sub/asset")
    api.create_folder("top/empty")
    assert [folder["path"] for folder in api.subfolders("top")["folders"]] == ["top/empty", "top/sub"]
    assert "top" in [folder["name"] for folder in api.root_folders()["folders"]]
    with pytest.raises(BadRequest, match="Folder is not empty"):
        api.delete_folder("top")
    with pytest.raises(NotFound, match="Can't find folder with path nowhere"):
        api.subfolders("nowhere")
    assert api.subfolders("/")["folders"] == api.root_folders()["folders"]
    api.rename_folder("top", "moved")
    assert api.resource("moved/sub/asset")["folder"] == "moved/sub"
    api.delete_resources(["moved/sub/asset"])
    assert sorted(api.delete_folder("moved")["deleted"]) == ["moved", "moved/empty", "moved/sub"]


def test_upload_presets_and_mappings() -> None:
    api.create_upload_preset(name="preset", folder="f", tags="a,b", transformation={"width": 5, "crop": "scale"})
    shown = api.upload_preset("preset")
    assert shown["settings"]["tags"] == ["a", "b"]
    assert shown["settings"]["transformation"] == [{"crop": "scale", "width": 5}]
    with pytest.raises(AlreadyExists):
        api.create_upload_preset(name="preset")
    api.update_upload_preset("preset", unsigned=True, live=True)
    assert api.upload_preset("preset")["unsigned"] is True
    assert "preset" in [preset["name"] for preset in api.upload_presets(max_results=100)["presets"]]
    assert api.delete_upload_preset("preset")["message"] == "deleted"
    with pytest.raises(NotFound):
        api.upload_preset("preset")
    api.create_upload_mapping("wiki", template="http://upload.wikimedia.org/")
    api.update_upload_mapping("wiki", template="http://other/")
    assert api.upload_mapping("wiki")["template"] == "http://other/"
    api.delete_upload_mapping("wiki")
    with pytest.raises(NotFound):
        api.upload_mapping("wiki")


def test_named_transformation_is_delivered_and_follows_updates(server: Any) -> None:
    upload("named")
    api.create_transformation("tiny", {"width": 10, "crop": "scale"})
    with pytest.raises(AlreadyExists):
        api.create_transformation("tiny", {"width": 10})
    address = f"{server.url}/test/image/upload/t_tiny/named.png"
    first = urllib3.request("GET", address, timeout=10)
    assert first.status == 200
    shown = api.transformation("tiny")
    assert (shown["named"], shown["used"], shown["info"]) == (True, True, [{"crop": "scale", "width": 10}])
    assert [derived["public_id"] for derived in shown["derived"]] == ["named"]
    api.update_transformation("tiny", unsafe_update={"width": 4, "crop": "scale"})
    assert urllib3.request("GET", address, timeout=10).data != first.data
    api.delete_transformation("tiny")
    with pytest.raises(NotFound):
        api.transformation("tiny")
    with pytest.raises(BadRequest, match="nonsense"):
        api.create_transformation("bad", "c_nonsense")


def test_related_assets_are_related_in_both_directions() -> None:
    one, two = upload("rel/one"), upload("rel/two")
    answer = api.add_related_assets("rel/one", ["image/upload/rel/two", "image/upload/rel/none"])
    assert [entry["asset"] for entry in answer["success"]] == ["image/upload/rel/two"]
    assert [entry["status"] for entry in answer["failed"]] == [404]
    assert [a["public_id"] for a in api.resource("rel/two", related=True)["related_assets"]] == ["rel/one"]
    api.delete_related_assets_by_asset_ids(two["asset_id"], [one["asset_id"]])
    assert api.resource("rel/one", related=True)["related_assets"] == []


def test_usage_counts_assets_and_bytes() -> None:
    before = api.usage()["resources"]
    upload("counted")
    after = api.usage()
    assert after["resources"] == before + 1
    assert after["storage"]["usage"] > 0
    assert "limit" not in api.usage(date="2026-01-02")["storage"]


def test_analyses_are_made_on_request() -> None:
    upload("analysed")
    shown = api.resource("analysed", colors=True, phash=True, quality_analysis=True, image_metadata=True)
    assert shown["colors"][0] == ["#FF0000", 100.0]
    assert shown["predominant"]["google"][0][0] == "red"
    assert len(shown["phash"]) == 16
    assert isinstance(shown["quality_analysis"]["focus"], float)


def test_publishing_and_access_modes() -> None:
    for public_id in ("pub/a", "pub/b"):
        uploader.upload(png(), public_id=public_id, type="authenticated", tags=["pub"])
    assert api.publish_by_ids(["pub/a"], type="private")["published"] == []
    (published,) = api.publish_by_ids(["pub/a"], type="authenticated")["published"]
    assert "/upload/" in published["url"]
    assert [entry["public_id"] for entry in api.publish_by_tag("pub")["published"]] == ["pub/b"]
    uploader.upload(png(), public_id="mode", access_mode="authenticated")
    params = {"access_mode": "public", "public_ids": ["mode", "none"]}
    answer = api.call_json_api("post", ["resources", "image", "upload", "update_access_mode"], params)
    assert [(entry["public_id"], entry["access_mode"]) for entry in answer["updated"]] == [("mode", "public")]
    assert [entry["public_id"] for entry in answer["failed"]] == ["none"]
