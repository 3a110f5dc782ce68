"""The command line: ``python -m cloudlet`` or ``cloudlet``."""

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cloudlet import __version__
from cloudlet.app import create_app
from cloudlet.config import DEFAULT_CLOUD, DEFAULT_KEY, ConfigError, Settings
from cloudlet.server import api_secret
from cloudlet.server.serve import certificate_of, listen, run


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="cloudlet",
        description="Cloudinary on localhost: point an unmodified SDK at the CLOUDINARY_URL printed at start.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--version", action="version", version=f"cloudlet {__version__}")
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, default=9000, help="port to listen on; 0 takes a free one")
    add("--data", type=Path, default=Path("cloudlet-data"), help="folder for files and index")
    add("--cloud", default=DEFAULT_CLOUD, help="cloud name (the SDKs write it in lower case)")
    add("--key", default=DEFAULT_KEY, help="API key")
    add("--secret", "--api-secret", help="API secret; else $CLOUDLET_SECRET, else the one stored in the data folder")
    add("--auth-token-key", default="", help="hex key of token authentication, which allows auth tokens in delivery")
    add("--folder-mode", choices=["fixed", "dynamic"], default="fixed", help="how folders relate to public ids")
    add("--tls", action="store_true", help="serve https, with a self-signed certificate in the data folder")
    add("--fault", action="append", default=[], metavar="CALL:KIND[,k=v...]", help="inject a fault; see the README")
    add("--fault-seed", type=int, default=0, help="the same seed gives the same faults")
    add("--backup", action="store_true", help="keep replaced and deleted versions of all assets")
    add("--unsigned-ml-default", action="store_true", help="allow uploads by the preset ml_default without a signature")
    add("--remote-host", action="append", default=[], metavar="HOST", help="allow uploads from URLs on this host")
    add("--webhook-host", action="append", default=[], metavar="HOST", help="allow notifications to this host")
    add("--max-upload-bytes", type=int, default=2 * 1024**3, help="largest accepted file")
    add("--max-pixels", type=int, default=100_000_000, help="largest accepted image, width x height")
    add("--rate-limit", type=int, default=5000, help="Admin API calls per hour")
    return parser


def settings_from(arguments: argparse.Namespace) -> Settings:
    """Return the settings that the arguments and the environment describe.

    It creates the data folder if necessary. Raises ConfigError if a value cannot work.
    """
    api_secret.prepare_folder(arguments.data)
    return Settings(
        data=arguments.data,
        host=arguments.host,
        port=arguments.port,
        cloud_name=arguments.cloud.lower(),
        api_key=arguments.key,
        api_secret=_given_secret(arguments) or api_secret.load_or_create(arguments.data),
        auth_token_key=arguments.auth_token_key,
        tls=arguments.tls,
        faults=tuple(arguments.fault),
        fault_seed=arguments.fault_seed,
        folder_mode=arguments.folder_mode,
        backup=arguments.backup,
        unsigned_ml_default=arguments.unsigned_ml_default,
        remote_hosts=tuple(arguments.remote_host),
        webhook_hosts=("127.0.0.1", "localhost", *arguments.webhook_host),
        max_upload_bytes=arguments.max_upload_bytes,
        max_pixels=arguments.max_pixels,
        rate_limit=arguments.rate_limit,
    )


def _given_secret(arguments: argparse.Namespace) -> str:
    return arguments.secret or os.environ.get("CLOUDLET_SECRET", "")


def announce(settings: Settings, *, shows_secret: bool) -> None:
    """Print the URL of the server. Once the first line is printed, the server accepts connections.

    A secret that the user gave is not printed, to keep it out of logs.
    """
    url = settings.cloudinary_url if shows_secret else settings.cloudinary_url_with("***")
    lines = [f"CLOUDINARY_URL={url}"]
    if settings.tls:
        lines.append(f"NODE_EXTRA_CA_CERTS={certificate_of(settings)[0]}")
    lines.append(f"cloudlet {__version__}, files in {settings.data}, console at {settings.base_url}/")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server until it is stopped. Return 2, with one line on standard error, if it cannot start."""
    arguments = build_parser().parse_args(argv)
    try:
        settings = settings_from(arguments)
        with listen(settings.host, settings.port) as listener:
            settings = dataclasses.replace(settings, port=listener.getsockname()[1])
            os.umask(0o077)  # only the account that runs the server may read the stored files
            app = create_app(settings)
            announce(settings, shows_secret=not _given_secret(arguments))
            run(app, settings, listener)
    except ConfigError as error:
        sys.stderr.write(f"cloudlet: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 0
    return 0
