"""Everything goes wrong at once: storage, the mail server and the receiver of webhooks err, drop answers, are away;
workers are killed, and so is the broker; people change their minds. Jobs of every kind are under way.

`run.py` lets it happen, `people.py` are the people, `outside.py` the servers of mail and webhooks, `verdict.py` says
afterwards what is wrong. The short form is test_chaos.py, the long form benchmarks/chaos.py. The same seed gives the
same faults, kills and changes of mind, though not the same interleaving.
"""
