"""Keep the import path of `validate_url` that migration 0001 uses. The code is in `url_policy.py`."""

from .url_policy import validate_url as validate_url
