"""The web pages for ticket holders."""
