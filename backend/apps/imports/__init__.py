"""Import attendee lists: read files, interpret column headings, validate every line."""
