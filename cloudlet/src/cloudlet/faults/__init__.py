"""Faults on demand, for whoever tests against cloudlet: slow, failing, limiting and vanishing answers."""

from cloudlet.faults.plan import FaultPlan
from cloudlet.faults.rules import Kind, Rule, parse_flag, rule_from_json

__all__ = ["FaultPlan", "Kind", "Rule", "parse_flag", "rule_from_json"]
