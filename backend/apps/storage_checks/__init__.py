"""Check whether storage and database agree, and repair where they do not."""
