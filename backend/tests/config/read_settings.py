"""Read the settings in this process as a new process would."""

from __future__ import annotations

import os
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from unittest import mock

from tests.workers import BACKEND


def read_settings(var_dir: Path | None, *, backend: Path = BACKEND, **variables: str) -> ModuleType:
    """Return the settings for these environment variables and no others, without the developer's `.env`.

    They are not the settings that Django uses. `backend` may be another folder that has a copy of config/settings.py.
    """
    spec = spec_from_file_location("config.settings_of_a_test", backend / "config/settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    environment = {"ADMIT_ENV_FILE": os.devnull} | ({"ADMIT_VAR_DIR": str(var_dir)} if var_dir else {}) | variables
    umask = os.umask(0o022)  # the usual one, with which processes create files that all can read
    try:
        with mock.patch.dict(os.environ, environment, clear=True):
            spec.loader.exec_module(module)
    finally:
        os.umask(umask)
    return module
