"""``cloudinary-cli``, unmodified: ``cld uploader``, ``cld admin``, ``cld search`` and ``cld sync``."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pictures import png
from servers import threaded_cloudlet

from cloudlet.testing import RunningCloudlet

pytestmark = pytest.mark.system


def cld(server: RunningCloudlet, home: Path, *arguments: str) -> str:
    """Run a ``cld`` command, which must succeed. Return its result, or its log if it has none."""
    command = [str(Path(sys.executable).with_name("cld")), *arguments]
    environment = {**os.environ, "CLOUDINARY_URL": server.cloudinary_url, "HOME": str(home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout or done.stderr


def test_cld_uploader_and_admin(server: RunningCloudlet, tmp_path: Path) -> None:
    picture = tmp_path / "logo.png"
    picture.write_bytes(png().getvalue())
    uploaded = cld(server, tmp_path, "uploader", "upload", str(picture), "-o", "public_id", "cli/logo")
    assert json.loads(uploaded)["public_id"] == "cli/logo"
    shown = cld(server, tmp_path, "admin", "resource", "cli/logo")
    assert json.loads(shown)["bytes"] == picture.stat().st_size
    found = cld(server, tmp_path, "search", "public_id=cli/logo")
    assert json.loads(found)["total_count"] == 1


@pytest.mark.parametrize("folder_mode", ["fixed", "dynamic"])
def test_cld_sync_pushes_pulls_and_deletes(folder_mode: str, tmp_path: Path) -> None:
    local, copy = tmp_path / "local", tmp_path / "copy"
    files = {"a b.png": png(11), "deep/er/photo.png": png(12), "notes.txt": None, "ümlaut.png": png(13)}
    for name, content in files.items():
        path = local / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.getvalue() if content else b"some text")
    with threaded_cloudlet("--folder-mode", folder_mode) as server:
        pushed = cld(server, tmp_path, "sync", "--push", "-F", str(local), "synced")
        assert "Synced | 4" in pushed
        assert "Skipping 4 items" in cld(server, tmp_path, "sync", "--push", "-F", str(local), "synced")
        assert "Synced | 4" in cld(server, tmp_path, "sync", "--pull", "-F", str(copy), "synced")
        (local / "notes.txt").unlink()
        assert "Deleting 1" in cld(server, tmp_path, "sync", "--push", "-F", str(local), "synced")
    assert sorted(path.read_bytes() for path in copy.rglob("*") if path.is_file() and path.name[0] != ".") == sorted(
        content.getvalue() if content else b"some text" for content in files.values()
    )
