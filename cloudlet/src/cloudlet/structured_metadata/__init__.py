"""Structured metadata: field definitions, the values on assets, and the rules between fields."""
