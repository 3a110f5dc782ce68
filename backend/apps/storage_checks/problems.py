"""List the problems that a storage check finds, with their meanings, remedies, and who can fix them."""

from __future__ import annotations

from enum import StrEnum


class Problem(StrEnum):
    """A kind of problem. The values appear in reports and metrics, and never change."""

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
    Problem.MISSING: "files of a ticket are missing",
    Problem.WRONG_BYTES: "files are not the ones that were published",
    Problem.STALE_VERSION: "files have another version than the ticket's URLs name",
    Problem.ORPHANED: "files belong to no ticket",
    Problem.WRONG_TYPE: "ticket files have the wrong resource or delivery type",
    Problem.UNDELETABLE: "files could not be deleted after several attempts",
    Problem.OUTDATED: "files show outdated values, such as an earlier name",
    Problem.OLD_PLACE: "files are still at an old place of their ticket, so that old links work",
    Problem.FOREIGN: "files in the tickets' folders are no ticket files; they are left alone",
    Problem.UNMARKED: "files of no ticket have no deployment's tag; they are left alone",
}

# What to do, in a sentence or two. The back office shows text between backticks as code.
_FIX = "Run `manage.py ticket_doctor --fix`: it "
REMEDY = {
    Problem.BAD_CREDENTIALS: "Correct CLOUDINARY_API_KEY and CLOUDINARY_API_SECRET in backend/.env, and restart.",
    Problem.UNREACHABLE: "Check that this machine reaches Cloudinary: network, proxy, Cloudinary's status page.",
    Problem.CLOCK_SKEW: "Turn on time synchronisation (`timedatectl set-ntp true`): else signed calls are refused.",
    Problem.QUOTA_LOW: "Nothing is broken. Check again after the next full hour; the listing so far is kept.",
    Problem.DELIVERY_BLOCKED: "In Cloudinary's console: Settings > Security > PDF and ZIP files delivery > Allow.",
    Problem.MISSING: _FIX + "re-renders them, with the same codes. Then find out who deleted them.",
    Problem.WRONG_BYTES: _FIX + "re-renders them. Then find out who else writes to these folders.",
    Problem.STALE_VERSION: _FIX + "re-renders them, so that the ticket's URLs have the current version.",
    Problem.ORPHANED: _FIX + "deletes them, unless so many are orphans that this is likely the wrong database.",
    Problem.WRONG_TYPE: _FIX + "deletes the files that have a verified replacement, or whose tickets are deleted.",
    Problem.UNDELETABLE: _FIX + "tries again. Each finding shows the reason.",
    Problem.OUTDATED: _FIX
    + "re-renders them. After an `update()` call `publishing.requests.rerender_many` on the same rows.",
    Problem.OLD_PLACE: _FIX + "deletes them, once their tickets have files at their new places.",
    Problem.FOREIGN: "They are always left alone. Keep other files out of the tickets' folders.",
    Problem.UNMARKED: "Uploaded by hand, or by a version that did not tag files. If no other deployment stores in this "
    "account, delete them with `manage.py ticket_doctor --fix --delete-unmarked`.",
}

NOTICES = (Problem.QUOTA_LOW, Problem.FOREIGN, Problem.UNMARKED)  # harmless for tickets
MANUAL = (  # only a person can fix these
    Problem.BAD_CREDENTIALS,
    Problem.UNREACHABLE,
    Problem.CLOCK_SKEW,
    Problem.QUOTA_LOW,
    Problem.DELIVERY_BLOCKED,
    Problem.FOREIGN,
    Problem.UNMARKED,
)
