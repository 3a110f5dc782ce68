"""Decide which faults hit which call. The same seed and the same sequence of calls give the same faults."""

import math
import random
from collections.abc import Sequence

from cloudlet.faults.rules import Kind, Rule

# The standard deviations between the median and the 99th percentile of a normal distribution.
_Z99 = 2.3263


class FaultPlan:
    """The active rules. Not thread-safe: use it on the event loop only."""

    def __init__(self, rules: Sequence[Rule] = (), seed: int = 0) -> None:
        self.replace(rules, seed)

    def replace(self, rules: Sequence[Rule], seed: int) -> None:
        """Set new rules and reset their random sequences and counters."""
        self.rules = tuple(rules)
        self.seed = seed
        self._random = [
            random.Random(f"{seed}:{index}")  # noqa: S311 - must be reproducible, not secret
            for index in range(len(self.rules))
        ]
        self._seen = [0] * len(self.rules)
        self.hits = [0] * len(self.rules)

    def draw(self, names: Sequence[str]) -> list[tuple[Rule, float]]:
        """Return the faults for the next call with these names, each with its delay in seconds."""
        faults = []
        for index, rule in enumerate(self.rules):
            if rule.call != "*" and rule.call not in names:
                continue
            self._seen[index] += 1
            chance = self._random[index]
            is_hit, delay = chance.random() < rule.rate, _delay(rule, chance)
            spent = rule.count and self.hits[index] >= rule.count
            if is_hit and self._seen[index] > rule.after and not spent:
                self.hits[index] += 1
                faults.append((rule, delay))
        return faults


def _delay(rule: Rule, chance: random.Random) -> float:
    if rule.kind is not Kind.LATENCY:
        return 0.0
    if not rule.p50:
        return rule.ms / 1000
    sigma = math.log(rule.p99 / rule.p50) / _Z99
    return rule.p50 * math.exp(sigma * chance.gauss(0, 1)) / 1000
