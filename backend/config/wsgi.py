"""The WSGI application, which Granian serves."""

import os

from django.core.wsgi import get_wsgi_application

from .preloading import load_pages

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
load_pages()
