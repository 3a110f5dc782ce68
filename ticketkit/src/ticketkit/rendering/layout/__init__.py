"""Where everything stands on a ticket: data, with defaults for each page size."""
