"""From a wish for files, which is a row, to files on storage that never get lost."""
