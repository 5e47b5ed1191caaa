"""RSS feed of finished jobs: RSS 2.0 with the tags of Apple Podcasts and of the podcast namespace.

Specifications: https://www.rssboard.org/rss-specification,
https://help.apple.com/itc/podcasts_connect/#/itcb54353390 and
https://github.com/Podcastindex-org/podcast-namespace (chapters, transcript, guid).
"""

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from pipeline.delivery.job_files import title_of
from pipeline.file_formats import AUDIO_FORMATS, SUBTITLE_FORMATS
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import Plan
from pipeline.stitching.tags import NOTICE

FEED = "feed.xml"
ENCLOSURES = {"mp3": "mp3", "m4b": "m4a", "aac": "aac", "opus": "opus", "flac": "flac", "wav": "wav"}
"""Endings of episodes by the format of the job; players know MPEG-4 audio as `m4a`."""
_NAMESPACES = {
    "xmlns:atom": "http://www.w3.org/2005/Atom",
    "xmlns:itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "xmlns:podcast": "https://podcastindex.org/namespace/1.0",
}
_GUIDS = uuid.UUID("ead4c236-bf58-58c6-a2c6-a6b28d128cb6")
"""Namespace of `podcast:guid`."""
_CHAPTERS_TYPE = "application/json+chapters"
_PICTURES = {"image/png": "png", "image/jpeg": "jpg"}
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Channel:
    """The feed itself."""

    base_url: str
    """Address of the folder in which feed and episodes are published."""
    title: str
    description: str = ""
    author: str = ""
    language: str = "en"
    category: str = "Arts/Books"
    """Category of Apple Podcasts, with a subcategory after the slash."""
    explicit: bool = False

    def url(self, name: str) -> str:
        """Address of a file of the feed.

        >>> Channel("https://example.org/books/", "Books").url("a b.mp3")
        'https://example.org/books/a%20b.mp3'
        """
        return f"{self.base_url.rstrip('/')}/{quote(name)}"


@dataclass(frozen=True, slots=True)
class Episode:
    """A finished job in a feed."""

    job: str
    title: str
    published_s: float
    """Seconds since the epoch."""
    duration_s: float
    file_format: str
    bytes: int
    author: str = ""
    series: str = ""
    language: str = ""
    chapters: tuple[tuple[str, float, float], ...] = ()
    """Title, start and end in seconds."""
    cover_type: str = ""
    """Media type of its cover; empty if it has none."""

    @property
    def audio(self) -> str:
        """Name of its file."""
        return f"{self.job}.{ENCLOSURES[self.file_format]}"

    @property
    def cover(self) -> str:
        """Name of its cover's file."""
        return f"{self.job}.{_PICTURES[self.cover_type]}"

    @property
    def transcript(self) -> str:
        """Name of its subtitles' file."""
        return f"{self.job}.vtt"

    @property
    def chapter_list(self) -> str:
        """Name of the file with its chapters."""
        return f"{self.job}.chapters.json"


def episode(jobs: Jobs, plan: Plan, manifest: dict[str, Any]) -> Episode:
    """Episode of a finished job; published when the job was planned, whatever its revision."""
    work, _ = jobs.plans.book(plan.job)
    listed = manifest.get("chapters")
    data = jobs.store.objects.read(listed["name"]) if listed else None
    return Episode(
        job=plan.job,
        title=title_of(plan, work),
        published_s=plan.created_s,
        duration_s=manifest["duration_s"],
        file_format=manifest["file_format"],
        bytes=manifest["audio"]["bytes"],
        author=", ".join(work.authors),
        series=work.series,
        language=work.language,
        chapters=tuple((each["title"], each["start_s"], each["end_s"]) for each in json.loads(data or b"[]")),
        cover_type=work.cover_type if work.cover else "",
    )


def chapters_json(found: Episode) -> bytes:
    """Chapters of an episode, in version 1.2 of the podcast namespace's JSON."""
    chapters = [
        {"startTime": round(start_s, 3), "endTime": round(end_s, 3), "title": title}
        for title, start_s, end_s in found.chapters
    ]
    return json.dumps({"version": "1.2.0", "chapters": chapters}, ensure_ascii=False, indent=1).encode()


def feed(channel: Channel, episodes: Sequence[Episode]) -> bytes:
    """The feed's document, newest episode first; equal episodes give equal bytes."""
    ordered = sorted(episodes, key=lambda each: (-each.published_s, each.job))
    root = Element("rss", {**_NAMESPACES, "version": "2.0"})
    described = SubElement(root, "channel")
    _describe(described, channel, ordered)
    for each in ordered:
        _add(SubElement(described, "item"), channel, each)
    indent(root)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def guid_of(url: str) -> str:
    """The `podcast:guid` of a feed, from its address without scheme and slashes at the end.

    >>> guid_of("https://mp3s.nashownotes.com/pc20rss.xml")
    '917393e3-1b1e-5cef-ace4-edaa54e1f810'
    """
    return str(uuid.uuid5(_GUIDS, re.sub(r"^https?://", "", url).rstrip("/")))


def _describe(element: Element, channel: Channel, episodes: Sequence[Episode]) -> None:
    own_url = channel.url(FEED)
    _text(element, "title", channel.title)
    _text(element, "link", channel.base_url)
    _text(element, "description", channel.description or NOTICE)
    _text(element, "language", channel.language)
    _text(element, "generator", "voxchord")
    if episodes:
        _text(element, "lastBuildDate", formatdate(episodes[0].published_s, usegmt=True))
    SubElement(element, "atom:link", {"href": own_url, "rel": "self", "type": "application/rss+xml"})
    if channel.author:
        _text(element, "itunes:author", channel.author)
    _text(element, "itunes:explicit", str(channel.explicit).lower())
    category, _, inner = channel.category.partition("/")
    outer = SubElement(element, "itunes:category", {"text": category})
    if inner:
        SubElement(outer, "itunes:category", {"text": inner})
    picture = next((each for each in episodes if each.cover_type), None)
    if picture is not None:
        SubElement(element, "itunes:image", {"href": channel.url(picture.cover)})
    _text(element, "podcast:guid", guid_of(own_url))


def _add(element: Element, channel: Channel, found: Episode) -> None:
    _text(element, "title", found.title)
    by = f" by {found.author}" if found.author else ""
    _text(element, "description", f"{found.title}{by}. {NOTICE}.")
    _text(element, "guid", f"urn:voxchord:{found.job}").set("isPermaLink", "false")
    _text(element, "pubDate", formatdate(found.published_s, usegmt=True))
    SubElement(
        element,
        "enclosure",
        {
            "url": channel.url(found.audio),
            "length": str(found.bytes),
            "type": AUDIO_FORMATS[found.file_format].media_type,
        },
    )
    _text(element, "itunes:duration", str(round(found.duration_s)))
    if found.author:
        _text(element, "itunes:author", found.author)
    if found.cover_type:
        SubElement(element, "itunes:image", {"href": channel.url(found.cover)})
    if found.chapters:
        attributes = {"url": channel.url(found.chapter_list), "type": _CHAPTERS_TYPE}
        SubElement(element, "podcast:chapters", attributes)
    captions = SUBTITLE_FORMATS["vtt"].media_type.partition(";")[0]
    attributes = {"url": channel.url(found.transcript), "type": captions, "rel": "captions"}
    SubElement(element, "podcast:transcript", attributes)


def _text(element: Element, name: str, text: str) -> Element:
    """Add an element with a text; characters that XML does not have are left out."""
    added = SubElement(element, name)
    added.text = _NO_XML.sub("", text)
    return added
