"""The door: check a code, and admit its holder once."""
