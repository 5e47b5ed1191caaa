"""Words that chat programs put in place of messages, which nobody said."""

import re

NOTICE = "chat notice"
_THING = (
    r"image|video|audio|sticker|gif|document|contact(?: card)?|media|photo|picture|voice message|video note|"
    r"file|poll|location|animation|album|attachment"
)
_LENGTH = r"\d+\s?(?:s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)\b.{0,20}"
_PLACEHOLDER = re.compile(
    rf"<?(?:{_THING})s? (?:omitted|not included|unavailable|weggelassen|omitid[oa])>?"
    r"|(?:this message was|this message has been|message|you) deleted(?: (?:this message|by admin .{1,40}))?"
    r"|missed (?:group )?(?:voice |video )?call(?: (?:at|from) .{1,40})?"
    rf"|(?:voice|video|group) call[,.:·]? (?:{_LENGTH}|no answer|missed|declined|ended)"
    r"|call (?:ended|started)(?: .{0,30})?|tap to call back|null"
    r"|waiting for this message\. this may take a while"
    r"|live location shared|location: https?://\S+|poll:|<?attached: [^<>\n]{1,120}>?"
    r"|\S{1,120}\.\w{2,4} \(file attached\)"
    r"|<?[^<>\n]{1,20} (?:ausgeschlossen|weggelassen|omitid[oa]s?|omis(?:es|e)?|absente|omess[oi])>?"
    r"|(?:diese nachricht wurde|du hast diese nachricht) gelöscht|ce message a été supprimé"
    r"|se eliminó este mensaje"
    r"|verpasster (?:sprach|video)anruf|appel (?:vocal|vidéo) manqué|llamada perdida"
    r"|(?:\[?(?:photo|sticker|video|gif|voice message|file)\]?)\.?(?<=\])"
    r"|messages and calls are (?:now )?end-to-end encrypted\b.{0,200}"
    r"|you're now an admin|only admins can .{1,60}",
    re.IGNORECASE,
)
_CERTAIN = re.compile(
    r"(?:[*]{3}|-!-|-->|<--|[⇐⇒→←])\s.{1,120}"
    r"|messages (?:and calls|to this (?:group|chat)) are .{0,20}end-to-end encrypted\b.{0,200}"
    r"|.{1,60} joined (?:using|from) (?:this group's|a group|an?|the) .{0,20}(?:link|community)"
    r"|(?:.{1,60}'s|your) security code (?:with .{1,40} )?changed\b.{0,80}"
    r"|.{1,60} (?:changed|deleted) (?:the|this) (?:group(?:'s)?|subject|icon|topic)\b.{0,120}"
    r"|.{1,60} created (?:the |this )?(?:group|channel)\b.{0,80}"
    r"|.{1,60} (?:has )?(?:joined|left|quit) "
    r"(?:the (?:group|chat|channel|server|meeting|call|conversation)|#\S+)"
    r"|.{1,60} (?:started|stopped) (?:transcription|recording)",
    re.IGNORECASE,
)
"""Lines about a chat itself."""
_TIMED = re.compile(
    r".{1,60} (?:has )?(?:joined|left|quit)(?: .{0,60})?"
    r"|.{1,60} (?:added|removed|was added|was removed|pinned|started|changed|created|turned)\b.{0,120}",
    re.IGNORECASE,
)
"""Lines about a chat, if a time stands before them as before the messages."""
_EDGES = " \t\u200e\u200f.!\"'"


def is_placeholder(words: str) -> bool:
    """Tell whether words stand in place of a message: a picture, a call, what was deleted.

    >>> [is_placeholder(each) for each in ("image omitted", "Missed voice call", "The image omitted him.")]
    [True, True, False]
    """
    text = words.strip(_EDGES)
    return len(text) <= 300 and bool(_PLACEHOLDER.fullmatch(text))


def is_notice(line: str, *, timed: bool) -> bool:
    """Tell whether a line without a speaker is about the chat: who joined it, who changed its name.

    Args:
        timed: whether a time stands before it.
    """
    text = line.strip(_EDGES)
    if len(text) > 300 or not text:
        return False
    found = is_placeholder(text) or _CERTAIN.fullmatch(text)
    return bool(found or (timed and _TIMED.fullmatch(text)))
