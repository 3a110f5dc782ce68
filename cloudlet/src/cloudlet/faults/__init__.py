"""Fault injection, for tests of clients: slow responses, errors, rate limits and dropped connections."""

from cloudlet.faults.plan import FaultPlan
from cloudlet.faults.rules import Kind, Rule, parse_flag, rule_from_json

__all__ = ["FaultPlan", "Kind", "Rule", "parse_flag", "rule_from_json"]
