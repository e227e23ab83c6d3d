"""Words that turn a sentence round, and where sentences end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import regex

from cupel.text.grounding.tokens import Tokens, tokenise

_WORDS = frozenset(
    tokenise("""not no never nor neither without cannot hardly barely scarcely nothing nobody none nowhere
    ne n pas jamais non ni sans aucun aucune aucunement nullement rien personne guère nicht nie niemals kein keine
    keinen keinem keiner keines weder ohne nichts niemand niemanden niemandem nirgends keinesfalls keineswegs
    nunca jamás sin ningún ninguno ninguna nada nadie tampoco mai né senza nessun nessuno nessuna niente nulla
    neppure nemmeno neanche não sem nem nenhum nenhuma ninguém jamais niet geen nooit noch zonder niets nie niemand
    bez żaden żadna żadne żadnego żadnej żadnych ani nic nikt nigdy nu niciodată fără nici nimic nimeni niciun nicio
    inte ej icke aldrig utan ingen inget inga ingenting ikke intet hverken
    ei emme ette eivät eikä en et älä älkää ilman soha nélkül sincs sincsenek nincs nincsenek nem ne sem sohasem
    nikdy není nejsou nebyl nebude nemá nesmí nikdo žádný žádná žádné nie nikdy nič nikto
    nikoli nihče ni niso nima nisem nismo brez nije nisu nisam nismo niste neće nećemo nemamo nemaju nikad nikada nema nitko ništa
    nimamo nimajo nisem intet uden hverken
    δεν δε μη μην όχι ποτέ χωρίς ούτε κανείς κανένας καμία κανένα τίποτα
    не без никога никой никоя нищо никакъв никаква никакво никакви нито няма нямам нямаме нямат ни нет нельзя никогда никто ничто ничего никак немає ніколи ніхто нічого
    нема није нису nėra ne niekada niekas be nav nekad neviens nekas ní níl
    لا لم لن ليس ليست ليسوا لسنا لست غير بدون دون بلا ولا ولم ولن وليس وليست فلا فلم فلن أبدا كلا عدم بعدم وعدم لعدم
    نه نیست نیستند هیچ بدون نمی
    לא ולא שלא אין ואין שאין בלי ללא אינו אינה אינם אינן איננו אינני איננה מבלי לעולם מעולם
    नहीं न ना मत बिना कभी नहि नाही
    không chưa chẳng đừng tidak bukan tanpa jangan niekam nieko belum değil yok hayır asla""").folded
)
_FEW = 6  # tokens: "on non-binding targets" and no more

# words that negate in one language and are harmless in another, which some of its commonest words give away
_HARMLESS_IN = {
    "mai": ["ro"], "ani": ["ro"], "ei": ["ro", "de"], "sin": ["sv", "da"], "nu": ["sv", "da", "nl"], "ni": ["sv"],
    "en": ["fr", "es", "nl", "da", "sv"], "et": ["fr", "da", "sv"], "be": ["en"], "no": ["pt", "lv"], "sem": ["sl"],
    "ne": ["it"], "noch": ["de"], "ни": ["bg"],
}  # fmt: skip
# there a verb is negated by a prefix
_PREFIXING = ("cs", "sk", "lt", "lv")
_NO_PREFIX = regex.compile(r"nej.*|nebo\w?|než\w*|net|nes|nek\w{1,2}|neděl\w*|nedeľ\w*|nepaisant|nesen")
_COMMONEST = {
    language: frozenset(words.split())
    for language, words in {
        "bg": "са ще че към се най", "cs": "že jsme který která se", "da": "og af til jeg", "de": "der die und das",
        "en": "the of and to", "es": "los las una por con el que y", "fr": "les des est dans une", "it": "che della sono gli di",
        "lt": "kad yra mes bet ir jog iki už taip mūsų", "lv": "ka par arī un kas", "nl": "het van een voor", "pt": "não uma para os com",
        "ro": "și să pentru din", "sk": "že sme ktoré sa aby", "sl": "ki tudi smo pa", "sv": "och att är för",
    }.items()
}  # fmt: skip
_SOLID = regex.compile(
    r"""(?V1)
    [不没沒無无未勿莫非否別别毋弗免]
    | な(?:い|かっ|く|けれ|し) | ません | ませぬ | (?:せ|ら|れ|ら|わ|か)ず(?:に|、|,|。|$) | ぬ
    | 않 | 못 | 없 | 아니 | 아닌 | 아닙 | (?<![\p{L}])안(?=\s) | 말[라아] | 마라
    | ไม่ | ไร้ | มิได้ | มิใช่ | ห้าม | อย่า | ปราศจาก | ບໍ່ | មិន | គ្មាន | មិ
    """,
    regex.VERBOSE,
)
# the same characters in words that negate nothing
_HARMLESS = regex.compile(
    r"不[仅僅但断斷过過同少久管论論]|非[常洲]|未[来來]|[无無][论論]|除非|否[则則]|莫[斯桑]|[区區]别|[区區]別|特[别別]|[别別]的|[别別]人|免费|免費|少なく(?:とも)?"
)

_ENDS = frozenset(".!?؟۔।॥。．｡፧።")
_CLOSING = "'\"’”»)]}›」』"
_AFTER_END = regex.compile(
    rf"[{regex.escape(_CLOSING, special_only=False)}]{{0,20}}+(?:\s{{1,20}}+[\p{{P}}\s]{{0,20}}+(?![\p{{Ll}}])|$)"
)
_ABBREVIATIONS = frozenset(
    """mr mrs ms dr prof st no nr art para vol fig cf vs etc eg ie mme mlle sr sra srta hr fr ing mgr gen col hon rev
    bzw usw ca abs ziff vgl evtl ggf inkl zb dh al op cit pp esq messrs ст г гг см им т тыс млн млрд κ κκ αρ π χ""".split()  # noqa: SIM905
)
_BLANK_LINE = regex.compile(r"\n[^\S\n]*+\n|\u2029")


def hides_negation(text: Tokens, first: int, stop: int) -> bool:
    """Whether a gap leaves a negation out of a sentence that is quoted in part.

    Tokens `[first, stop)` are left out. What matters is the rest of the sentence the gap begins in, and what is
    missing of the one it ends in; sentences left out as a whole may say what they like.
    """
    if not _negates(text, first, stop):
        return False
    ending = first - 1 if _is_blank(text, first - 1) else _first_end(text, range(first, stop))
    if ending is None:
        return True
    last = _first_end(text, range(stop - 1, max(first, ending) - 1, -1))
    return _negates(text, first, ending + 1) or _negates(text, (ending if last is None else last) + 1, stop)


def _first_end(text: Tokens, places: Iterable[int]) -> int | None:
    """The first of these tokens that ends a sentence."""
    return next((place for place in places if _ends_sentence(text, place)), None)


def _negates(text: Tokens, first: int, stop: int) -> bool:
    """Whether one of these tokens is a negation."""
    words = text.folded[first:stop]
    said = text.joined[text.offsets[first] : text.offsets[stop] + 1]
    if not _WORDS.isdisjoint(words) or " ne" in said or "n't " in said:
        for place, word in enumerate(words):
            may_be = word in _WORDS or word[:2] == "ne" or word[-3:] == "n't"
            if may_be and _is_negation(word, text) and not _is_prefix(words, place):
                return True
    passage = text.passage(first, stop) if words and text.has_solid else ""
    return bool(_SOLID.search(_HARMLESS.sub(" ", passage)))


def _is_prefix(words: Sequence[str], place: int) -> bool:
    """Whether a "non" negates a word rather than the sentence: "non-binding", unless little else is left out."""
    return words[place : place + 2] == ["non", "-"] and len(words) > _FEW


def _is_negation(word: str, text: Tokens) -> bool:
    if word in _WORDS:
        return not any(_is_in(text, language) for language in _HARMLESS_IN.get(word, ()))
    if word.startswith("ne") and len(word) > 3 and not _NO_PREFIX.fullmatch(word):
        return any(_is_in(text, language) for language in _PREFIXING)
    return word.endswith("n't")


def _is_in(text: Tokens, language: str) -> bool:
    """Whether a text has two of the commonest words of a language."""
    return len(_COMMONEST[language] & text.vocabulary) > 1


def _ends_sentence(text: Tokens, place: int) -> bool:
    """Whether a sentence certainly ends with a token: in doubt it does not, and a negation counts."""
    mark = text.folded[place]
    is_blank = _is_blank(text, place)
    if is_blank or mark not in _ENDS:
        return is_blank
    plain, end = text.reading.plain, text.ends[place]
    if plain[text.starts[place]] in "。．｡！？":
        return True
    before = text.folded[place - 1] if place else ""
    if mark == "." and (
        len(before) < 2 or before in _ABBREVIATIONS or (before.isdecimal() and len(before) < 3)
    ):
        return False
    return _AFTER_END.match(plain, end, min(len(plain), end + 20)) is not None


def _is_blank(text: Tokens, place: int) -> bool:
    """Whether a paragraph ends after a token."""
    if not 0 <= place < len(text) - 1:
        return False
    between = text.reading.plain[text.ends[place] : text.starts[place + 1]]
    return between not in ("", " ") and _BLANK_LINE.search(between) is not None
