"""Layers: every asset that a transformation reads is authorised as if it were requested directly."""

import base64
import io
import time
from typing import Any

import cloudinary
import cloudinary.api
import cloudinary.uploader
import pytest
import requests
from deliveries import AUTH_TOKEN_KEY, PHOTO, TIMEOUT_SECONDS, get, refused, upload, url
from pictures import BLUE, RED, decoded, pdf, picture

from cloudlet.testing import RunningCloudlet

SECRET = picture(40, 40)
RESTRICTED = ["authenticated", "private"]


@pytest.fixture(autouse=True)
def stored(server: RunningCloudlet) -> None:
    upload(PHOTO, "open/base")
    for kind in ("upload", "authenticated", "private"):
        upload(SECRET, "vault/secret", type=kind)
    upload(pdf(RED, BLUE), "vault/pages", type="authenticated")


def chains(kind: str) -> list[str]:
    layer = f"{kind}:vault:secret"
    return [
        f"l_{layer}",
        f"l_{layer}.png",
        f"l_image:{layer}",
        f"u_{layer}",
        f"w_50/l_{layer},w_20/fl_layer_apply,g_south",
        f"l_vault:secret/l_{layer}/fl_layer_apply/fl_layer_apply",
        f"if_w_gt_1/l_{layer}/fl_layer_apply/if_end",
        f"if_w_gt_9999/l_{layer}/fl_layer_apply/if_end",
        f"if_w_gt_1/w_5/if_else/l_{layer}/fl_layer_apply/if_end",
        f"l_{layer}/fl_layer_apply,fl_getinfo",
        f"l_{layer}/fl_layer_apply/w_auto:breakpoints:json",
    ]


CASES = [(kind, chain) for kind in RESTRICTED for chain in chains(kind)]
CASES += [
    ("authenticated", "l_authenticated:vault:pages,pg_2"),
    ("authenticated", "u_authenticated:vault:pages.pdf,pg_1"),
]


@pytest.mark.parametrize(("kind", "chain"), CASES)
def test_an_unsigned_url_reads_no_protected_layer_and_a_signed_one_does(kind: str, chain: str) -> None:
    for _ in range(2):  # the second time, the file of the signed request is in the cache
        refused(get(url("open/base", raw_transformation=chain, format="png")), 401, "layer")
        answer = get(url("open/base", raw_transformation=chain, format="png", sign_url=True))
        assert answer.status_code == 200, answer.headers
        assert "public" not in answer.headers.get("Cache-Control", "")


def test_error_does_not_reveal_whether_a_protected_layer_exists() -> None:
    reasons = {
        get(url("open/base", raw_transformation=f"l_authenticated:vault:{name}"))
        .headers["X-Cld-Error"]
        .replace(name, "")
        for name in ("secret", "nothing")
    }
    assert len(reasons) == 1


@pytest.mark.parametrize("restriction", ["access_mode", "access_control"])
@pytest.mark.parametrize("chain", ["l_vault:restricted", "u_upload:vault:restricted", "t_marked"])
def test_restricted_asset_as_a_layer_needs_a_signature(restriction: str, chain: str, server: RunningCloudlet) -> None:
    restricted(server, "vault/restricted", restriction)
    define("marked", "l_vault:restricted")
    refused(get(url("open/base", raw_transformation=chain)), 401, "restricted")
    assert get(url("open/base", raw_transformation=chain, sign_url=True)).status_code == 200


def test_layer_pending_moderation_is_missing_even_with_a_signature() -> None:
    upload(SECRET, "vault/pending", moderation="manual")
    for signed in (False, True):
        refused(get(url("open/base", raw_transformation="l_vault:pending", sign_url=signed)), 404, "vault/pending")


def restricted(server: RunningCloudlet, public_id: str, restriction: str, **options: Any) -> None:
    """Upload a picture of type `upload` that needs a token. The SDK has no call that sets the access mode."""
    if restriction == "access_control":
        options |= {"access_control": [{"access_type": "token"}]}
    upload(SECRET, public_id, **options)
    if restriction == "access_mode":
        answer = requests.post(
            f"{server.url}/v1_1/{server.cloud_name}/resources/image/upload/update_access_mode",
            json={"public_ids": [public_id], "access_mode": "authenticated"},
            auth=(server.api_key, server.api_secret),
            timeout=TIMEOUT_SECONDS,
        )
        assert answer.status_code == 200, answer.text


def define(name: str, definition: str) -> None:
    try:
        cloudinary.api.create_transformation(name, definition, timeout=TIMEOUT_SECONDS)
    except cloudinary.exceptions.AlreadyExists:
        cloudinary.api.update_transformation(name, unsafe_update=definition, timeout=TIMEOUT_SECONDS)


@pytest.mark.parametrize("kind", RESTRICTED)
def test_protected_layer_in_a_named_transformation_needs_a_signature(kind: str) -> None:
    define("stamped", f"l_{kind}:vault:secret,w_20")
    for chain in ("t_stamped", "w_30/t_stamped"):
        refused(get(url("open/base", raw_transformation=chain)), 401, "layer")
        assert get(url("open/base", raw_transformation=chain, sign_url=True)).status_code == 200


def test_eager_transformation_does_not_open_its_protected_layer() -> None:
    made = upload(PHOTO, "open/eager", eager=[{"raw_transformation": "l_authenticated:vault:secret"}])
    assert made["eager"][0]["width"]
    refused(get(url("open/eager", raw_transformation="l_authenticated:vault:secret", format="png")), 401, "layer")


def test_signed_calls_may_use_protected_layers() -> None:
    chain = "l_authenticated:vault:secret/fl_layer_apply"
    incoming = upload(PHOTO, "open/stamped", transformation=[{"raw_transformation": chain}])
    assert incoming["width"]
    explicit = cloudinary.uploader.explicit("open/base", type="upload", eager=[{"raw_transformation": chain}])
    assert explicit["eager"][0]["width"]


def test_unsigned_upload_may_use_the_layers_of_its_preset_only() -> None:
    chain = "l_authenticated:vault:secret/fl_layer_apply"
    preset = cloudinary.api.create_upload_preset(unsigned=True, transformation=[{"raw_transformation": chain}])["name"]
    assert cloudinary.uploader.unsigned_upload(io.BytesIO(PHOTO), preset, timeout=TIMEOUT_SECONDS)["width"]
    with pytest.raises(cloudinary.exceptions.Error, match="not allowed"):
        cloudinary.uploader.unsigned_upload(io.BytesIO(PHOTO), preset, eager=chain, timeout=TIMEOUT_SECONDS)


def test_sprite_has_only_public_assets(server: RunningCloudlet) -> None:
    upload(PHOTO, "sprites/open", tags="mixed")
    upload(SECRET, "sprites/closed", tags="mixed", type="authenticated")
    for restriction in ("access_mode", "access_control"):
        restricted(server, f"sprites/{restriction}", restriction, tags="mixed")
    made = cloudinary.uploader.generate_sprite("mixed", timeout=TIMEOUT_SECONDS)
    assert list(made["image_infos"]) == ["sprites/open"]
    frames = cloudinary.uploader.multi("mixed", timeout=TIMEOUT_SECONDS)
    assert getattr(decoded(get(frames["url"]).content), "n_frames", 1) == 1


def test_fetched_layer_gets_no_access_to_protected_assets() -> None:
    address = url("vault/secret", type="authenticated", format="png")
    encoded = base64.urlsafe_b64encode(address.encode()).decode()
    assert get(url("open/base", raw_transformation=f"l_fetch:{encoded}")).status_code in (400, 401, 404)


def token_cookie(**options: Any) -> dict[str, str]:
    name, _, token = cloudinary.utils.generate_auth_token(key=AUTH_TOKEN_KEY, duration=60, **options).partition("=")
    return {name: token}


@pytest.mark.parametrize(
    ("acl", "status"),
    [
        ("/test/image/*", 200),
        ("/test/image/upload/*!/test/image/authenticated/v1/vault/*", 200),
        ("/test/image/upload/*", 401),
        ("/test/image/upload/*!/test/image/authenticated/other/*", 401),
    ],
)
def test_token_with_an_acl_covers_the_layers_that_the_acl_covers(acl: str, status: int) -> None:
    address = url("open/base", raw_transformation="l_authenticated:vault:secret")
    assert get(address, cookies=token_cookie(acl=acl)).status_code == status


def test_token_for_one_url_covers_its_layers_and_no_other_url() -> None:
    token = {"key": AUTH_TOKEN_KEY, "expiration": int(time.time()) + 60}
    options = {"type": "authenticated", "sign_url": True, "auth_token": token}
    address = url("vault/secret", raw_transformation="l_private:vault:secret", **options)
    assert get(address).status_code == 200
    refused(get(address.replace("l_private", "l_authenticated")), 401, "hmac mismatch")
