"""Convert the first sheet of a workbook (.xlsx, .xlsb, .xls, .ods) to text. Runs in a sandbox, without Django."""

from __future__ import annotations

import csv
import datetime
import io
import json
import re

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, SheetVisibleEnum, ZipError

from apps.core.sandbox import RefusedError, serve

MAX_ROWS = 20_000  # including empty rows
MAX_COLUMNS = 200
MAX_TEXT_BYTES = 2 * 1024 * 1024  # the limit of an upload: the form that issues tickets sends the text once more
SAVE_AS_CSV = "Save it as “CSV UTF-8” and upload that."


def read_workbook(content: bytes) -> bytes:
    """Return JSON with the first visible sheet that has values.

    `text` is its content, `sheet` its name, `others` the number of other sheets with values. Raises RefusedError with a
    message for the organiser if the workbook can't be read, is empty or is too large.
    """
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        visible = [sheet.name for sheet in workbook.sheets_metadata if sheet.visible is SheetVisibleEnum.Visible]
        sheets = [workbook.get_sheet_by_name(name) for name in visible]
    except PasswordError as error:
        raise RefusedError("This workbook has a password. Save it without one and upload it again.") from error
    except (CalamineError, ZipError) as error:
        raise RefusedError(f"This file is not a readable workbook. {SAVE_AS_CSV}") from error
    filled = [(sheet, sheet.end) for sheet in sheets if sheet.end is not None]
    if not filled:
        raise RefusedError("All visible sheets of this workbook are empty.")
    (sheet, (last_row, last_column)), *others = filled
    answer = {"text": _text(sheet, last_row + 1, last_column + 1), "sheet": sheet.name, "others": len(others)}
    return json.dumps(answer).encode()


def _text(sheet: CalamineSheet, height: int, width: int) -> str:
    """Return the sheet as text. Every row is one line, so that line numbers equal the row numbers of the sheet."""
    if height > MAX_ROWS or width > MAX_COLUMNS:
        raise RefusedError(
            f"The sheet “{sheet.name}” has {height} rows and {width} columns. The limits are {MAX_ROWS} rows and "
            f"{MAX_COLUMNS} columns. Delete rows and columns that are not needed, including those at the end."
        )
    buffer = io.StringIO()
    delimiter = "\t" if width > 1 else ","
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\n")
    for row in sheet.to_python(skip_empty_area=False):
        writer.writerow([_shown(value) for value in row])
        if buffer.tell() > MAX_TEXT_BYTES:  # counts characters, each of which takes at least a byte
            break
    text = buffer.getvalue()
    if len(text.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
        raise RefusedError(f"The sheet “{sheet.name}” has more than 2 MB of text. Delete the columns you don’t need.")
    return text


def _shown(value: object) -> str:
    """Return a value as people write it. Excel stores the number 12345 as 12345.0, for example."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return re.sub("[\t\r\n]+", " ", str(value))


if __name__ == "__main__":
    serve(read_workbook)
