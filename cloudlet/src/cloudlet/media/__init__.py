"""What uploaded files are: their types, PDF, SVG and the headers of videos. Dangerous parsers run in processes."""
