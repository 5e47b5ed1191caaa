"""Members of a ZIP archive, read within limits.

An archive states the size of each member, and may lie: members are read up to a limit, whatever it states.
Names are those of the archive's own directory. Nothing is ever unpacked to a disk, so a name such as
`../../etc/passwd` is a member like any other, and a path outside of the archive names no member.
"""

import io
import posixpath
import zipfile
import zlib
from collections.abc import Collection
from urllib.parse import unquote

from pipeline.books.limits import Budget
from pipeline.errors import ScriptError

MEMBERS_MAX = 10_000
_CHUNK = 1 << 18


class Archive:
    """A ZIP archive in memory.

    Raises:
        ScriptError: it is no ZIP archive, or has too many members.
    """

    def __init__(self, data: bytes, budget: Budget, what: str) -> None:
        self.budget, self.what = budget, what
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError) as error:
            raise ScriptError(1, f"{what} is damaged: {error}") from None
        if len(self._zip.infolist()) > MEMBERS_MAX:
            raise ScriptError(1, f"{what} has more than {MEMBERS_MAX:,} files")

    @property
    def names(self) -> Collection[str]:
        return self._zip.NameToInfo.keys()

    def read(self, name: str, limit: int) -> bytes:
        """Read a member of at most that many bytes, which count against the budget.

        Raises:
            ScriptError: it is missing, damaged, encrypted or too large.
        """
        info = self._zip.NameToInfo.get(name)
        if info is None:
            raise ScriptError(1, f"{self.what} has no file {name[:200]!r}")
        if info.flag_bits & 1:
            raise ScriptError(1, f"{self.what} is encrypted with a password")
        parts, size = [], 0
        try:
            with self._zip.open(info) as member:
                while part := member.read(_CHUNK):
                    size += len(part)
                    if size > limit:
                        raise ScriptError(1, f"{name[:200]!r} in {self.what} has more than {limit:,} bytes")
                    self.budget.take(len(part))
                    parts.append(part)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError) as error:
            raise ScriptError(1, f"{name[:200]!r} in {self.what} is damaged: {error}") from None
        return b"".join(parts)


def resolve(base: str, reference: str) -> str:
    """Name of the member that a reference in another member means, without its fragment.

    >>> resolve("OEBPS/text/one.xhtml", "../images/a%20b.png#x")
    'OEBPS/images/a b.png'
    >>> resolve("OEBPS/one.xhtml", "../../../etc/passwd")
    '../../etc/passwd'
    """
    path = unquote(reference.partition("#")[0])
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), path)) if path else base
