"""Reader of the project's Markdown: links, anchors, code, tables and paragraphs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parent.parent
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def prose(self) -> str:
        """The text without its fenced code."""
        return _FENCE.sub("", self.text)

    def code(self, *languages: str) -> list[str]:
        """Contents of the fenced code of these languages ("" for none)."""
        return [found[2] for found in _FENCE.finditer(self.text) if found[1] in languages]

    @property
    def spans(self) -> list[str]:
        """Inline code."""
        return re.findall(r"`([^`\n]+)`", self.prose)

    @property
    def commands(self) -> Iterator[str]:
        """Lines of shell code, continued lines joined and comments removed; then inline code."""
        for block in self.code("sh", ""):
            for line in block.replace("\\\n", " ").splitlines():
                yield re.sub(r"\s+# .*|^# .*", "", line).strip()
        yield from self.spans

    @property
    def links(self) -> list[str]:
        """Targets of links within the repository."""
        found = re.findall(r"\]\(([^)\s]+)\)", self.prose)
        return [target for target in found if "://" not in target]

    @property
    def anchors(self) -> set[str]:
        """Anchors of the headings, as GitHub makes them."""
        headings = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

    @property
    def tables(self) -> Iterator[list[dict[str, str]]]:
        """Each table as its rows, by column."""
        for block in self.prose.split("\n\n"):
            lines = [line for line in block.splitlines() if line.startswith("|")]
            cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
            if len(cells) > 2:
                yield [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]

    @property
    def paragraphs(self) -> Iterator[str]:
        """Running text: no headings, tables or code; each item of a list is one."""
        for block in self.prose.split("\n\n"):
            if not block.strip() or block.lstrip().startswith(("#", "|", "<!--")):
                continue
            yield from re.split(r"\n(?=\s*(?:[-*]|\d+\.) )", block.strip())


def pages() -> list[Page]:
    """The README, the other pages at the root and all of docs/."""
    return [Page(path) for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))]
