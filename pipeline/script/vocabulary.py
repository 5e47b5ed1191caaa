"""Words that stand before a colon and are no speaker: the kinds of labels."""

import functools
import re
from enum import Enum
from importlib import resources

from pipeline.script.names import identity


class Kind(Enum):
    """Kinds of would-be labels."""

    SPEAKER = "speaker"
    """May be a name."""
    NUMBERED = "numbered"
    """`Speaker 1`, `Person2`, `Host A`: a speaker wherever it stands."""
    DOUBTFUL = "doubtful"
    """A common noun or a place: a speaker only if it returns."""
    SPOKEN = "spoken"
    """A weekday, a chapter, "Remember", "he said": never a speaker unless the cast names it."""
    CUE = "cue"
    """`SFX`, `MUSIC`: a sound cue."""


def words_of(text: str) -> frozenset[str]:
    """The words that white space parts."""
    return frozenset(text.split())


_SPOKEN = words_of("""
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july
    august september october november december mon tue wed thu fri sat sun jan feb mar apr jun jul aug
    sep sept oct nov dec today tomorrow yesterday tonight morning noon afternoon evening night midnight
    weekend spring summer autumn fall winter christmas easter chapter part act scene section book volume
    episode season verse refrain bridge outro intro prologue epilogue interlude introduction conclusion
    summary preface foreword afterword appendix abstract overview background contents step lesson unit
    module week day year month hour level round phase stage figure fig table note notes nb ps todo
    remember reminder warning caution danger attention important tip tips hint hints example examples
    definition fact facts rule rules exercise homework problem option options pros cons advantage
    advantages disadvantages result results reason reasons objective goal agenda topic subject re from
    to cc bcc date time place location address phone tel fax email url website link links source sources
    reference references ingredient ingredients directions instructions method serves servings yield
    price total subtotal score update edit spoiler tldr translation meaning moral quote finally next
    then also however but so and or yes no well listen look wait namely therefore thus otherwise besides
    still meanwhile please thanks sorry plus minus item items list number page line paragraph here there
    this that these those what why how when where who which because if once although eg e.g ie http
    https ftp mailto urn isbn doi
""")
_METADATA = words_of("""
    title subtitle author authors by writer written date year genre music cast characters dramatis
    series show season episode ep duration runtime length draft version revision copyright license
    licence contact source credit credits notes note setting scene time place location tags tag keywords
    language lang summary synopsis logline description format subject topic theme publisher published
    producer director editor translator host hosts guest guests narrator narrators speaker speakers
    voices isbn id slug layout category categories url link status created modified word words audience
    tone style script podcast sponsor
""")
_CUES = words_of("""
    sfx fx sound sounds music song jingle audio ambience ambiance ambient atmos atmosphere stinger bed
    video visual visuals lights lighting cue cues transition soundscape foley effect effects
""")
_SENTENCE_ENDS = words_of("""
    said says say asked asks ask replied replies reply answered answers answer cried cries shouted
    shouts whispered whispers thought thinks wrote writes added adds told tells called calls continued
    continues explained explains is was are were be been being has had have do does did will would can
    could may might must shall should this that these those following follows means mean like because
    and or but to of the a an in on at for with from by as than then if it its his her their my your our
    we reads read sang sings muttered murmured exclaimed began begins includes include
""")
_SENTENCE_WORDS = words_of("""
    i me my you your we us our they them it its is are was were am be been has have had do does did will
    would can could should must may might not what why how when if because there here this that these
    those said says asked know knew think thought want wanted
""")
"""Words of sentences, in names hardly ever."""
_PLACES = words_of("""
    afghanistan albania algeria argentina armenia australia austria azerbaijan bangladesh belarus
    belgium bolivia bosnia brazil britain bulgaria cambodia cameroon canada chile china colombia croatia
    cuba cyprus denmark ecuador egypt england estonia ethiopia finland france germany ghana greece
    guatemala haiti honduras hungary iceland india indonesia iran iraq ireland italy jamaica japan
    kazakhstan kenya korea kuwait latvia lebanon libya lithuania luxembourg malaysia malta mexico
    moldova mongolia morocco mozambique myanmar nepal netherlands nicaragua nigeria norway oman pakistan
    panama paraguay peru philippines poland portugal qatar romania russia rwanda scotland senegal serbia
    singapore slovakia slovenia somalia spain sudan sweden switzerland syria taiwan tanzania thailand
    tunisia turkey uganda ukraine uruguay uzbekistan venezuela vietnam wales yemen zambia zimbabwe
    europe asia africa america antarctica amsterdam athens atlanta auckland baghdad baltimore bangkok
    barcelona beijing beirut belfast belgrade berlin bern birmingham bogota bombay bonn boston
    bratislava bristol brussels bucharest budapest cairo calcutta canberra capetown caracas chicago
    cologne copenhagen damascus delhi denver detroit dhaka dresden dubai dublin edinburgh frankfurt
    geneva glasgow hamburg hanoi havana helsinki honolulu houston istanbul jakarta jerusalem
    johannesburg karachi kiev krakow kyiv kyoto leeds leipzig lima lisbon liverpool ljubljana london
    lyon madrid manchester manila marseille melbourne memphis miami milan milwaukee minsk montreal
    moscow mumbai munich nairobi naples nashville nice osaka oslo ottawa oxford philadelphia pittsburgh
    portland prague quebec reykjavik riga rome rotterdam salzburg santiago sarajevo seattle seoul
    shanghai sofia stockholm stuttgart tallinn tbilisi tehran tirana tokyo toronto turin vancouver
    venice vienna vilnius warsaw washington wellington winnipeg york zagreb zurich
""")
_CERTAIN = re.compile(
    r"(?:speaker|person|host|guest|voice|narrator|actor|character|interviewer|participant|spk|spkr|agent|user)"
    r" ?(?:\d{1,3}|[a-z])|[sp]\d{1,3}"
)
_STRUCTURE = re.compile(
    r"(?:chapter|part|act|scene|section|book|volume|episode|season|verse|step|lesson|unit|module|week|day|year"
    r"|level|round|phase|stage|figure|fig|table|page|line|paragraph|rule|tip|reason|exercise|item|appendix"
    r"|article|problem|option|exhibit|point) (?:[\divxlc]+|[a-z]|one|two|three"
    r"|four|five|six|seven|eight|nine|ten|eleven|twelve)(?: .*)?"
)
_CUE_LABEL = re.compile(
    r"(?:sound|music|audio|stage|light|lighting|video|camera) (?:effects?|cues?|directions?)"
)
_DATE = re.compile(
    r"(?:\w+day,? )?(?:the )?(?:\d{1,2}(?:st|nd|rd|th)? (?:of )?)?"
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
    r"(?: \d{1,2}(?:st|nd|rd|th)?)?(?:,? \d{4})?|\d{4}|\d{1,2} ?[ap]m"
)


def kind(name: str) -> Kind:
    """The kind of a would-be label.

    >>> kind("Nora"), kind("Chapter 2"), kind("SFX"), kind("Milk"), kind("SPEAKER_00")
    (<Kind.SPEAKER: 'speaker'>, <Kind.SPOKEN: 'spoken'>, <Kind.CUE: 'cue'>, <Kind.DOUBTFUL: 'doubtful'>, \
<Kind.NUMBERED: 'numbered'>)
    """
    key = identity(name)
    words = key.split()
    if _CERTAIN.fullmatch(key):
        return Kind.NUMBERED
    if words and ((words[0] in _CUES and len(words) <= 2) or _CUE_LABEL.fullmatch(key)):
        return Kind.CUE
    if _is_phrase(key, words, spaced=len(name.split()) > 1):
        return Kind.SPOKEN
    plain = [word for word in words if not word.isdecimal()]
    common = bool(plain) and all(word in _PLACES or word in common_words() for word in plain)
    return Kind.DOUBTFUL if common else Kind.SPEAKER


def _is_phrase(key: str, words: list[str], *, spaced: bool) -> bool:
    """Tell whether it is a part of a text (a chapter, a day) or of a sentence.

    Args:
        spaced: whether spaces part the words; `en-US-Jenny` is no sentence.
    """
    if key in _SPOKEN or _STRUCTURE.fullmatch(key) or _DATE.fullmatch(key):
        return True
    return (len(words) > 1 and words[-1] in _SENTENCE_ENDS) or (
        spaced and len(words) > 2 and bool(_SENTENCE_WORDS & set(words))
    )


def is_metadata(name: str) -> bool:
    """Tell whether a title block has such a key."""
    words = identity(name).split()
    return bool(words) and words[0] in _METADATA


@functools.cache
def common_words() -> frozenset[str]:
    """English words that name no person, from the vocabulary of the wheel hibari-tts 0.2.1 (Apache-2.0).

    Frequent words in lower case, without given names, and without roles and animals, which speak in plays.
    """
    text = resources.files("pipeline.script").joinpath("common_words.txt").read_text("ascii")
    return frozenset(text.split())
