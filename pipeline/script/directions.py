"""Stage directions and sound cues within spoken lines: the one rule for what is not read aloud.

In a script with speakers a direction is what is in square or curly brackets; in parentheses at the start
of a turn, alone on its line, or naming a sound or a manner of speaking; and in single asterisks outside of a
sentence (`*sighs*`). In prose only brackets and asterisks that name a sound or a manner are directions; all
else is spoken. Directions are left out and counted.
"""

import re

from pipeline.script.vocabulary import words_of

_WORDS_MAX = 12
_SOUNDS = words_of("""
    applause laughter crosstalk inaudible unintelligible indistinct overlapping music silence pause beat
    aside sfx sound sounds noise static feedback footsteps thunder door doors bell bells phone gunshot
    gunshots explosion wind rain birdsong ambience intro outro jingle break interruption exeunt exit
    exits enter enters os vo oc contd off offscreen offstage voiceover continuing cont smiling whisper
    whispers whispering sarcastic sarcastically deadpan sotto surprised angry sad happy nervous excited
    tired bored amused annoyed confused worried scared frightened relieved proud shy calm serious
    thoughtful hesitant breathless
""")
_VERBS = words_of("""
    laugh chuckle giggle snicker snigger titter cackle guffaw sigh cough sniff sniffle snort gasp groan
    moan cry sob weep wail whimper whisper shout yell scream shriek sing hum whistle clap applaud cheer
    breathe inhale exhale yawn sneeze hiccup gulp swallow mutter murmur mumble stammer stutter smile
    grin smirk frown scowl nod shrug wink blink wave bow sit stand rise kneel enter exit leave walk run
    turn look point pause hesitate stop wait interrupt clear think laugh growl bark hiss purr howl roar
    squeal squeak grunt sneer scoff tut pant wheeze choke burp snore knock slam crash bang ring buzz
    beep click rustle creak fade swell chant mock mimic imitate tease joke beam beg plead pray gesture
    approach sip drink eat chew smack kiss hug
""")
_NOT_VERBS = words_of("""
    always perhaps sometimes besides this thus unless yes as is was has does less its his hers ours
    yours theirs us nothing anything something everything during morning evening according
""")
_ADVERB = re.compile(r"[a-z]{3,}ly")
_NOT_ADVERBS = words_of(
    "only family early daily weekly monthly july italy reply apply supply belly jelly ally lily"
)


def names_a_sound(text: str) -> bool:
    """Tell whether bracketed words name a sound or a manner of speaking.

    >>> names_a_sound("laughs"), names_a_sound("door slams"), names_a_sound("which was old")
    (True, True, False)
    """
    words = re.findall(r"[a-z]+", re.sub(r"['.]", "", text.casefold()))
    if not words or len(words) > _WORDS_MAX:
        return False
    if words[0] in _SOUNDS or (words[-1] in _SOUNDS and len(words) <= 4):
        return True
    if _is_verb(words[0]) or (len(words) <= 4 and _inflects(words[-1]) and not text[:1].isupper()):
        return True
    return len(words) <= 3 and bool(_ADVERB.fullmatch(words[0])) and words[0] not in _NOT_ADVERBS


def begins_with_verb(text: str) -> bool:
    """Tell whether words in asterisks begin as a direction does: `grabs the lamp`, `pouring tea`."""
    first = re.match(r"[a-z]+", text)
    return first is not None and first[0].endswith(("s", "ing")) and first[0] not in _NOT_VERBS


def _is_verb(word: str) -> bool:
    return word in _VERBS or _inflects(word)


def _inflects(word: str) -> bool:
    """Tell whether it is a listed verb with an ending.

    >>> [_inflects(word) for word in ("laughing", "sighs", "cries", "smiling", "humming", "king")]
    [True, True, True, True, True, False]
    """
    for ending in ("ing", "es", "s", "ed"):
        stem = word.removesuffix(ending)
        if stem == word or not stem:
            continue
        doubled = stem[:-1] if len(stem) > 2 and stem[-1] == stem[-2] else stem
        if {stem, stem + "e", doubled} & _VERBS or (stem.endswith("i") and stem[:-1] + "y" in _VERBS):
            return True
    return False
