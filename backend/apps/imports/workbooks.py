"""The first sheet of a workbook (.xlsx, .xlsb, .xls, .ods) as text. Runs in a sandbox, without Django."""

from __future__ import annotations

import csv
import datetime
import io
import json
import re

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, SheetVisibleEnum, ZipError

from apps.core.sandbox import RefusedError, serve

MAX_ROWS = 20_000  # with the empty ones between
MAX_COLUMNS = 200
MAX_TEXT_BYTES = 2 * 1024 * 1024  # as of a list that is uploaded as text: the page that issues it sends it once more
SAVE_AS_CSV = "Save it as “CSV UTF-8” and upload that."


def read_workbook(content: bytes) -> bytes:
    """Return JSON: the `text` of the first visible sheet that has values, its name, and how many others have some."""
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        visible = [sheet.name for sheet in workbook.sheets_metadata if sheet.visible is SheetVisibleEnum.Visible]
        sheets = [workbook.get_sheet_by_name(name) for name in visible]
    except PasswordError as error:
        raise RefusedError("This workbook has a password. Save it without one and upload it again.") from error
    except (CalamineError, ZipError) as error:
        raise RefusedError(f"This file is no workbook that can be read. {SAVE_AS_CSV}") from error
    filled = [(sheet, sheet.end) for sheet in sheets if sheet.end is not None]
    if not filled:
        raise RefusedError("There is no value on any sheet of this workbook.")
    (sheet, (last_row, last_column)), *others = filled
    answer = {"text": _text(sheet, last_row + 1, last_column + 1), "sheet": sheet.name, "others": len(others)}
    return json.dumps(answer).encode()


def _text(sheet: CalamineSheet, height: int, width: int) -> str:
    """Return the sheet as text, a line a row, so that line numbers are those of the sheet."""
    if height > MAX_ROWS or width > MAX_COLUMNS:
        raise RefusedError(
            f"The sheet “{sheet.name}” has {height} rows and {width} columns. At most "
            f"{MAX_ROWS} and {MAX_COLUMNS} are read: delete what is not needed, down to the last row and column."
        )
    buffer = io.StringIO()
    delimiter = "\t" if width > 1 else ","
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\n")
    for row in sheet.to_python(skip_empty_area=False):
        writer.writerow([_shown(value) for value in row])
        if buffer.tell() > MAX_TEXT_BYTES:  # characters, of which each is a byte or more
            break
    text = buffer.getvalue()
    if len(text.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
        raise RefusedError(f"The sheet “{sheet.name}” has more than 2 MB of text. Delete the columns you don’t need.")
    return text


def _shown(value: object) -> str:
    """Return a value as people write it in a list: 12345 for the number that Excel keeps as 12345.0."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return re.sub("[\t\r\n]+", " ", str(value))


if __name__ == "__main__":
    serve(read_workbook)
