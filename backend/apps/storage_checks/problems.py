"""What can be wrong between the database and storage: names, words, remedies, and who can put it right."""

from __future__ import annotations

from enum import StrEnum


class Problem(StrEnum):
    """What can be wrong. The values appear in reports and never change."""

    BAD_CREDENTIALS = "bad_credentials"
    UNREACHABLE = "unreachable"
    CLOCK_SKEW = "clock_skew"
    QUOTA_LOW = "quota_low"
    DELIVERY_BLOCKED = "delivery_blocked"
    MISSING = "missing"
    WRONG_BYTES = "wrong_bytes"
    STALE_VERSION = "stale_version"
    ORPHANED = "orphaned"
    WRONG_TYPE = "wrong_type"
    UNDELETABLE = "undeletable"
    OUTDATED = "outdated"
    OLD_PLACE = "old_place"
    FOREIGN = "foreign"
    UNMARKED = "unmarked"


MEANING = {
    Problem.BAD_CREDENTIALS: "Cloudinary refuses the credentials",
    Problem.UNREACHABLE: "Cloudinary does not answer",
    Problem.CLOCK_SKEW: "this machine's clock is wrong",
    Problem.QUOTA_LOW: "little is left of this hour's Admin API calls",
    Problem.DELIVERY_BLOCKED: "the account does not deliver PDF files",
    Problem.MISSING: "files that a ticket should have are missing",
    Problem.WRONG_BYTES: "files are not what was published",
    Problem.STALE_VERSION: "files have another version than the ticket's URLs name",
    Problem.ORPHANED: "files belong to no ticket",
    Problem.WRONG_TYPE: "ticket files lie under a wrong resource or delivery type",
    Problem.UNDELETABLE: "files that should be gone could not be deleted",
    Problem.OUTDATED: "files show what their ticket no longer says, such as another name",
    Problem.OLD_PLACE: "files lie where their ticket no longer has them, so that old links still work",
    Problem.FOREIGN: "files in the tickets' folders are not ours; they are left alone",
    Problem.UNMARKED: "files of no ticket do not say which deployment they belong to; they are left alone",
}

# What to do about it, in a sentence or two; what is typed stands between backticks.
_FIX = "Run `manage.py ticket_doctor --fix`: it "
REMEDY = {
    Problem.BAD_CREDENTIALS: "Correct CLOUDINARY_API_KEY and CLOUDINARY_API_SECRET in backend/.env, and restart.",
    Problem.UNREACHABLE: "Check that this machine reaches Cloudinary: network, proxy, Cloudinary's status page.",
    Problem.CLOCK_SKEW: "Turn on time synchronisation (`timedatectl set-ntp true`): else signed calls are refused.",
    Problem.QUOTA_LOW: "Nothing is broken. Check again after the next full hour; what was listed is kept.",
    Problem.DELIVERY_BLOCKED: "In Cloudinary's console: Settings > Security > PDF and ZIP files delivery > Allow.",
    Problem.MISSING: _FIX + "makes them again, with the same codes. Then find out who deleted them.",
    Problem.WRONG_BYTES: _FIX + "makes them again. Then find out who else writes to these folders.",
    Problem.STALE_VERSION: _FIX + "makes them again, so that the links lead to what is there.",
    Problem.ORPHANED: _FIX + "deletes them, unless so many are orphans that this is likely the wrong database.",
    Problem.WRONG_TYPE: _FIX + "deletes those beside which the right files lie, or whose tickets are gone.",
    Problem.UNDELETABLE: _FIX + "tries again. The reason is told with each.",
    Problem.OUTDATED: _FIX
    + "makes them again. After an `update()` call `publishing.requests.rerender_many` on the same rows.",
    Problem.OLD_PLACE: _FIX + "deletes them, once their tickets have files at a place of their own.",
    Problem.FOREIGN: "Left alone, always. Keep other files out of the tickets' folders.",
    Problem.UNMARKED: "Uploaded by hand, or by a version that did not tag files. If no other deployment stores in this "
    "account, delete them with `manage.py ticket_doctor --fix --delete-unmarked`.",
}

NOTICES = (Problem.QUOTA_LOW, Problem.FOREIGN, Problem.UNMARKED)  # worth knowing, but nothing that makes a ticket fail
BY_PEOPLE = (
    Problem.BAD_CREDENTIALS,
    Problem.UNREACHABLE,
    Problem.CLOCK_SKEW,
    Problem.QUOTA_LOW,
    Problem.DELIVERY_BLOCKED,
    Problem.FOREIGN,
    Problem.UNMARKED,
)
