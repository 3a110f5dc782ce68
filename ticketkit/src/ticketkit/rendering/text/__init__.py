"""From Unicode text to positioned glyphs: bidi, itemising, shaping, fitting, subsetting."""
