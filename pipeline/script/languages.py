"""Languages of turns, by their commonest words: a notice where the engine does not speak one."""

import re
from collections import Counter
from collections.abc import Sequence

from pipeline.script.turns import Finding, Turn
from pipeline.script.vocabulary import words_of

_NAMES = {
    **{"en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese"},
    **{"nl": "Dutch", "sv": "Swedish", "da": "Danish", "pl": "Polish", "tr": "Turkish"},
}
_COMMON = {
    "en": words_of("""
        the and of to in is it that you he she was for on are with as i his her they at be this have
        from or one had by but not what all were we when your can said there use an each which do
        how their if will up about out many then them these so some would make like him into time
        has look two more go see no could my than been who its now did get come me
    """),
    "de": words_of("""
        der die das und ist nicht ich du er sie es wir ihr ein eine einen einem einer zu mit auf für
        dem den des von sich auch als nach wie aus bei oder aber dass wenn noch nur schon sehr mich
        mir dich dir uns ihn ihm haben habe hat sind bin bist war waren wird werden kann guten abend
        morgen tag nein kein keine zum zur im am vom heute gehen gut immer hier dann doch über
    """),
    "fr": words_of("""
        le la les et est pas je tu il elle nous vous ils une des du que qui dans pour sur avec ce
        cette mais ou où ne se au aux son sa ses mon ma mes ton ta tes leur plus très bien tout fait
        être avoir suis sont était bonjour bonsoir merci oui non comme aussi alors quand jour soir
        ici cela ça c'est j'ai d'un l'on
    """),
    "es": words_of("""
        el la los las y es no yo tú él ella nosotros ellos una unos de del que en por para con como
        pero más muy se su sus mi mis tu tus lo al está están estoy soy son era fue hay tiene tengo
        buenos buenas días noches gracias sí también cuando donde qué quién hoy aquí todo bien
        siempre entonces
    """),
    "it": words_of("""
        il lo la gli le e è non io tu lui lei noi voi loro un una di del della dei che in per con
        come ma più molto si suo sua mio mia tuo al alla nel nella sono sei siamo era ho hai ha
        buongiorno buonasera grazie sì anche quando dove chi oggi qui tutto bene sempre allora
    """),
    "pt": words_of("""
        o os as e é não eu tu ele ela nós eles um uma de do da dos das que em no na por para com
        como mas mais muito se seu sua meu minha ao está estão estou sou são era foi há tem tenho
        bom boa dia noite obrigado sim também quando onde quem hoje aqui tudo bem sempre então você
    """),
    "nl": words_of("""
        de het een en is niet ik jij je hij zij wij van in op te met voor aan dat die dit ook als
        maar om er nog naar bij uit over wel geen heeft hebben ben bent zijn was waren wordt worden
        kan goede goedenavond dag nee ja hier daar dan toch altijd vandaag mijn jouw haar hem ons
    """),
    "sv": words_of("""
        och att det är inte jag du han hon vi ni de en ett som på av för med till den om har men var
        så kan ska från vad när här där nu också bara mycket god kväll dag nej ja idag min din sin
        oss mig dig
    """),
    "da": words_of("""
        og at det er ikke jeg du han hun vi i de en et som på af for med til den om har men var så
        kan skal fra hvad når her der nu også kun meget god aften dag nej ja min din sin os mig dig
    """),
    "pl": words_of("""
        i w na nie to jest się z do że o jak po ale co za ja ty on ona my wy oni był była były mam
        masz ma dzień dobry wieczór dziękuję tak tylko już bardzo kiedy gdzie kto dzisiaj tutaj
        wszystko dobrze zawsze
    """),
    "tr": words_of("""
        ve bir bu da de için ile ben sen o biz siz onlar ne mi çok daha gibi ama var yok değil iyi
        gün akşamlar teşekkür evet hayır nasıl nerede kim bugün burada her şey
    """),
}
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_WORDS_MIN = 3
_HITS_MIN = 2


def foreign_turns(turns: Sequence[Turn], spoken: Sequence[str]) -> list[Finding]:
    """Find turns in a language that the engine does not speak.

    Args:
        spoken: the engine's languages, as ISO 639-1 codes.
    """
    found = ((turn, language_of(turn.text)) for turn in turns)
    names = ", ".join(_NAMES.get(code, code) for code in spoken)
    return [
        Finding(turn.line, f"seems to be {_NAMES[language]}; the engine speaks {names}")
        for turn, language in found
        if language is not None and language not in spoken
    ]


def language_of(text: str) -> str | None:
    """The language of a text, if its commonest words say so.

    >>> language_of("Guten Abend, wie geht es dir heute?"), language_of("It was late."), language_of("Oslo!")
    ('de', 'en', None)
    """
    words = Counter(map(str.casefold, _WORD.findall(text)))
    if words.total() < _WORDS_MIN:
        return None
    hits = {code: sum(words[word] for word in words.keys() & common) for code, common in _COMMON.items()}
    best = max(hits, key=lambda code: (hits[code], code == "en"))
    if hits[best] < _HITS_MIN or (best != "en" and hits[best] < 2 * hits["en"] + 1):
        return None
    return best
