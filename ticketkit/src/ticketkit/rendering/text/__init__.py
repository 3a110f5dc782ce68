"""Turn Unicode text into positioned glyphs: bidi, itemisation, shaping, fitting, font subsetting."""
