"""Check-in: check codes at the entrances, and admit each ticket once."""
