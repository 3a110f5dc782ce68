"""Everything goes wrong at once: storage errs, drops answers, is away; workers are killed, and so is the broker; people
change their minds.

`run.py` lets it happen, `people.py` are the people, `verdict.py` says afterwards what is wrong. The short form is
test_chaos.py, the long form benchmarks/chaos.py. The same seed gives the same faults, kills and changes of mind, though
not the same interleaving.
"""
