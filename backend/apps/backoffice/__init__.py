"""The back office: the admin classes of every app, with their forms, pages and templates."""
