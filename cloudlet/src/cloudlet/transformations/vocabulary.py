"""The keywords of the transformation language: the supported ones, and the ones that cloudlet refuses by name.

Source: Cloudinary's Transformation URL API reference.
"""

CROP_MODES = frozenset(
    {
        "scale", "fit", "limit", "mfit", "fill", "lfill", "fill_pad", "pad", "lpad", "mpad",
        "crop", "thumb", "auto", "auto_pad",
    }
)  # fmt: skip
AUTO_GRAVITY_CROPS = frozenset({"crop", "fill", "lfill", "fill_pad", "thumb", "auto", "auto_pad"})

COMPASS: dict[str, tuple[float, float]] = {
    "north_west": (0.0, 0.0),
    "north": (0.5, 0.0),
    "north_east": (1.0, 0.0),
    "west": (0.0, 0.5),
    "center": (0.5, 0.5),
    "east": (1.0, 0.5),
    "south_west": (0.0, 1.0),
    "south": (0.5, 1.0),
    "south_east": (1.0, 1.0),
}
"""Where in the image a gravity points, as fractions of width and height."""

FORMATS = {
    "jpg": "JPEG", "jpe": "JPEG", "jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "avif": "AVIF", "gif": "GIF",
    "bmp": "BMP", "tif": "TIFF", "tiff": "TIFF", "ico": "ICO", "pdf": "PDF", "jp2": "JPEG2000", "tga": "TGA",
}  # fmt: skip
"""Output formats, with Pillow's name of each."""

VIDEO_FORMATS = frozenset(
    {
        "mp4", "mov", "webm", "ogv", "mkv", "avi", "flv", "wmv", "3gp", "ts", "m2ts", "mpg", "m3u8", "mpd",
        "mp3", "wav", "ogg", "m4a", "aac", "flac",
    }
)  # fmt: skip
"""Formats of videos and audio files. They are delivered where the original has them, and never encoded."""

FLAGS = frozenset(
    {
        "attachment", "progressive", "lossy", "layer_apply", "relative", "no_overflow", "preserve_transparency",
        "force_strip", "strip_profile", "keep_iptc", "keep_attribution", "png8", "png24", "png32", "any_format",
        "immutable_cache", "ignore_aspect_ratio", "rasterize", "text_no_trim", "sanitize",
        "awebp", "animated", "getinfo",
    }
)  # fmt: skip

NOT_IMPLEMENTED = {
    "fn": "custom functions are not implemented by cloudlet",
    "ac": "video transformations are not implemented by cloudlet",
    "af": "video transformations are not implemented by cloudlet",
    "br": "video transformations are not implemented by cloudlet",
    "cs": "colour spaces are not implemented by cloudlet",
    "dl": "animation delay is not implemented by cloudlet",
    "du": "video transformations are not implemented by cloudlet",
    "eo": "video transformations are not implemented by cloudlet",
    "fps": "video transformations are not implemented by cloudlet",
    "ki": "video transformations are not implemented by cloudlet",
    "so": "video transformations are not implemented by cloudlet",
    "sp": "streaming profiles are not implemented by cloudlet",
    "vs": "video transformations are not implemented by cloudlet",
    "p": "prefixes of CSS sprites are not implemented by cloudlet",
    "bl": "baseline transformations are not implemented by cloudlet",
}
"""Parameters of the language that cloudlet refuses, with the reason that is sent to the client."""
