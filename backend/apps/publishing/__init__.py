"""Publishing: render the files of tickets, upload them, keep them up to date, and delete them."""
