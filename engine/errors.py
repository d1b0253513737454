"""Every error the product raises on purpose, drawn as a tree.

    RegularsError                      code, message (what and what to do), where (field path, file or row)
    ├── InputError                     the caller can mend it: command line exit code 2, HTTP 4xx
    │   ├── MissingFile                a named file or folder is not there
    │   ├── BadFile                    a file is there but cannot be read as what it claims to be
    │   ├── BadColumns                 a table lacks a column, or a map names one that does not exist
    │   ├── BadDefinition              a YAML or JSON definition (map, segment, campaign, offer) is wrong
    │   ├── BadRequest                 a request's field is wrong
    │   ├── NotFound                   an id names nothing stored
    │   ├── Conflict                   the state forbids it now (launched twice, id reused)
    │   ├── Unauthorised               no key, or an unknown key
    │   └── Forbidden                  the key lacks the scope
    ├── NoHistory                      there is nothing to learn from yet
    ├── CandidateRefused               a trained candidate is worse than what is live, or broken
    ├── ArtifactBroken                 an artifact's file is missing, altered or of another format
    └── Unavailable                    a server that is needed does not answer
        ├── DatabaseUnavailable
        └── OnlineUnavailable

A "no" (not eligible, held out, does not qualify) is a value with a reason, never one of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, ClassVar


class RegularsError(Exception):
    """An error with a stable `code`, one sentence on what to do, and `where` it is."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, where: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class InputError(RegularsError):
    """What was given cannot be used as it is; whoever gave it can mend it."""

    code = "bad_input"


class MissingFile(InputError):
    """A named file or folder is not there."""

    code = "missing_file"


class BadFile(InputError):
    """A file cannot be read as what it claims to be."""

    code = "bad_file"


class BadColumns(InputError):
    """A table lacks a column, or a map names one that does not exist."""

    code = "bad_columns"


class BadDefinition(InputError):
    """A definition (map, segment, campaign, offer) has a wrong clause; `where` is its path."""

    code = "bad_definition"


class BadRequest(InputError):
    """A request's field is wrong; `where` is its path."""

    code = "bad_request"


class NotFound(InputError):
    """An id names nothing stored."""

    code = "not_found"


class Conflict(InputError):
    """The state forbids this now."""

    code = "conflict"


class Unauthorised(InputError):
    """No API key was given, or an unknown one."""

    code = "unauthorised"


class Forbidden(InputError):
    """The API key is known but lacks the scope this route asks for."""

    code = "forbidden"


class NoHistory(RegularsError):
    """There is nothing to learn from yet."""

    code = "no_history"


class CandidateRefused(RegularsError):
    """A trained candidate is worse than what is live, or broken; the message gives the numbers.

    `problems` and `notes` are the gate's, one sentence each; `manifest` is the candidate's, its evaluation included.
    """

    code = "candidate_refused"

    def __init__(
        self,
        message: str,
        *,
        problems: Sequence[str] = (),
        notes: Sequence[str] = (),
        manifest: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.problems, self.notes, self.manifest = tuple(problems), tuple(notes), dict(manifest or {})


class ArtifactBroken(RegularsError):
    """An artifact's file is missing, altered or of another format."""

    code = "artifact_broken"


class Unavailable(RegularsError):
    """A server that is needed does not answer."""

    code = "unavailable"


class DatabaseUnavailable(Unavailable):
    """The database does not answer or refuses the connection."""

    code = "database_unavailable"


class OnlineUnavailable(Unavailable):
    """The online store (Redis) does not answer; recommendations go on without fresh events."""

    code = "online_unavailable"


def did_you_mean(wrong: str, valid: Iterable[str]) -> str:
    """Return a hint such as `; did you mean 'orders'?`, or the valid names where none is near."""
    names = sorted(valid)
    near = get_close_matches(wrong, names, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; valid are {', '.join(names)}"
