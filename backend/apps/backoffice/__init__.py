"""The back office: Django admin classes for all apps, with their forms, pages and templates."""
