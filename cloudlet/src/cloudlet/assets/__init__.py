"""Work on assets that the APIs, delivery and the console share: store, derive, present, describe."""
