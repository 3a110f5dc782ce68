"""Request every transformation that @cloudinary/url-gen can write; `main` writes the result into the README."""

import base64
import collections
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import cloudinary
import requests
from cloudinary import api, uploader
from pictures import picture
from videos import MP4

from cloudlet.testing import RunningCloudlet, running_cloudlet

TIMEOUT_SECONDS = 30
CATALOGUE = Path(__file__).with_suffix(".txt")
README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- url-gen: begin -->\n", "<!-- url-gen: end -->\n"
REFUSAL = re.compile(r"Invalid transformation component - (?P<part>.+?): .*cloudlet|Invalid extension in .*cloudlet")
_NAME = re.compile(r"(?P<key>\$|[a-z]+)_?(?P<name>(?:auto:[a-z_]+|name|embedded|[A-Za-z_0-9.-]+)?)")


@dataclass(frozen=True)
class Outcome:
    """A transformation and the response to it. `reason` is empty for one that works."""

    resource_type: str
    text: str
    status: int
    reason: str

    @property
    def works(self) -> bool:
        return self.status == 200

    @property
    def refused(self) -> str:
        """The unsupported parameter without its values, such as `e_blur_faces`."""
        part = (REFUSAL.match(self.reason) or {"part": None})["part"] or self.text
        if part.startswith("$"):
            return "$ref"
        if not re.match(r"[a-z]+_", part):
            return f"f_{part}"
        return part if re.match(r"(e_)?[a-z]+_auto:", part) else re.split("[:;]", part)[0]


def entries() -> Iterator[tuple[str, str]]:
    """Yield the resource type and the transformation of every line."""
    for line in CATALOGUE.read_text().splitlines():
        if not line.startswith("#"):
            resource_type, _, text = line.partition(" ")
            yield resource_type, text


def prepare() -> None:
    """Upload the assets that the transformations refer to."""
    api.add_metadata_field({"external_id": "sample", "label": "Sample", "type": "string"})
    options = {"timeout": TIMEOUT_SECONDS, "overwrite": True}
    for public_id in ("photo", "logo"):
        uploader.upload(
            io.BytesIO(picture(120, 90)),
            public_id=public_id,
            context={"sample": "5"},
            metadata={"sample": "5"},
            **options,
        )
    uploader.upload(io.BytesIO(MP4), public_id="clip", resource_type="video", filename="clip.mp4", **options)


def outcomes(server: RunningCloudlet) -> list[Outcome]:
    """Request every transformation of the catalogue."""
    found = []
    logo = f"{server.url}/{server.cloud_name}/image/upload/logo.png"
    with requests.Session() as session:
        for resource_type, entry in entries():
            name = "clip.mp4" if resource_type == "video" else "photo"
            text = entry.replace("ADDRESS", base64.b64encode(logo.encode()).decode())
            escaped = quote(text, safe="/,:;$!()=%-._~")
            address = f"{server.url}/{server.cloud_name}/{resource_type}/upload/{escaped}/{name}"
            answer = session.get(address, timeout=TIMEOUT_SECONDS)
            found.append(Outcome(resource_type, text, answer.status_code, answer.headers.get("X-Cld-Error", "")))
    return found


def report(found: list[Outcome]) -> str:
    """Return the text for the README."""
    working = sum(outcome.works for outcome in found)
    lines = [
        f"Of the {len(found)} URLs that the public actions and qualifiers of `@cloudinary/url-gen` 1.22.0 write",
        f"(`tests/url_gen_catalogue.txt`), {working} work. The others are refused by name:",
        "",
        "| of | refused (URLs) |",
        "|---|---|",
    ]
    for resource_type in ("image", "video"):
        names = collections.Counter(
            outcome.refused for outcome in found if outcome.resource_type == resource_type and not outcome.works
        )
        refused = (f"`{name}`" + (f" ({count})" if count > 1 else "") for name, count in sorted(names.items()))
        lines.append(f"| {resource_type}s | {', '.join(refused)} |")
    return "\n".join(lines) + "\n"


def readme_section() -> str:
    return README.read_text().partition(BEGIN)[2].partition(END)[0]


def main() -> None:
    """Update the README."""
    with running_cloudlet(options=["--remote-host", "127.0.0.1"]) as server:
        cloudinary.config(**server.sdk_config)
        prepare()
        text = report(outcomes(server))
    before, _, rest = README.read_text().partition(BEGIN)
    README.write_text(before + BEGIN + text + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
