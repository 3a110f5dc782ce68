"""Structured metadata: the definitions of fields, the values of assets and the rules between fields."""
