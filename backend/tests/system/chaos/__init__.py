"""Chaos tests: many failures at once, while jobs of every kind run.

Storage, the mail server and the webhook receiver fail, drop connections and go down; workers and the broker are killed;
people edit, re-issue and delete tickets.

`run.py` runs the scenario, `people.py` makes the edits, `outside.py` has the servers of mail and webhooks, `verdict.py`
looks for errors afterwards. test_chaos.py is the short version, benchmarks/chaos.py the long one. The same seed gives
the same faults, kills and edits, but not the same interleaving.
"""
