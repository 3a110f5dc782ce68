"""Sample tickets in ten languages: ``python -m apps.events.rendering.gallery docs``."""
