"""Layout and markup for `grounding.py`: put on a passage of a text, or on the quote of it.

Knows nothing of how grounding works. Sentences in scripts that the data set lacks are our own.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import regex

Mark = Callable[[random.Random, str], str]

SENTENCES = {
    "ar": """قال النائب إن الاتحاد الأوروبي يجب أن يحمي المزارعين الصغار في جميع المناطق.
        لقد ارتفعت الأسعار بنسبة 12 في المئة خلال السنة الماضية في بلادنا. نحن لا نريد أن تدفع العائلات الفقيرة ثمن هذه الأزمة.
        يطلب البرلمان من المفوضية أن تقدم خطة واضحة قبل نهاية الصيف. كل دولة من الدول الأعضاء مسؤولة عن حدودها ومياهها.
        شكرا للسيدة الرئيسة على هذه الكلمة وعلى العمل الكبير في اللجنة. تحتاج المدارس والمستشفيات إلى دعم أكبر من الميزانية المشتركة.
        سوف نصوت على هذا القرار غدا مع زملائنا من المجموعات الأخرى.""",
    "he": """חברת הפרלמנט אמרה כי האיחוד האירופי חייב להגן על החקלאים הקטנים בכל האזורים.
        המחירים עלו בשיעור של 12 אחוזים במהלך השנה האחרונה במדינות שלנו. אנחנו לא רוצים שהמשפחות העניות ישלמו את מחיר המשבר הזה.
        הפרלמנט מבקש מהנציבות להציג תוכנית ברורה לפני סוף הקיץ. כל מדינה אחראית על הגבולות שלה ועל המים שלה.
        תודה לגברת היושבת ראש על הדברים ועל העבודה הגדולה בוועדה. בתי הספר ובתי החולים צריכים תמיכה גדולה יותר מהתקציב המשותף.
        נצביע מחר על ההחלטה הזאת יחד עם חברינו מן הקבוצות האחרות.""",
    "hi": """सांसद ने कहा कि यूरोपीय संघ को सभी क्षेत्रों में छोटे किसानों की रक्षा करनी चाहिए।
        पिछले वर्ष हमारे देशों में कीमतें 12 प्रतिशत बढ़ गई हैं। हम नहीं चाहते कि गरीब परिवार इस संकट का मूल्य चुकाएँ।
        संसद आयोग से गर्मियों के अंत से पहले एक स्पष्ट योजना माँगती है। प्रत्येक सदस्य देश अपनी सीमाओं और अपने जल के लिए उत्तरदायी है।
        इन शब्दों और समिति में बड़े काम के लिए अध्यक्ष महोदया को धन्यवाद। विद्यालयों और अस्पतालों को साझा बजट से अधिक सहायता चाहिए।
        हम कल दूसरे समूहों के साथियों के साथ इस प्रस्ताव पर मतदान करेंगे।""",
    "th": """สมาชิกสภากล่าวว่าสหภาพยุโรปต้องคุ้มครองเกษตรกรรายย่อยในทุกภูมิภาค ราคาสินค้าเพิ่มขึ้นร้อยละ 12 ในปีที่ผ่านมา
        เราไม่ต้องการให้ครอบครัวที่ยากจนจ่ายค่าวิกฤตนี้ รัฐสภาขอให้คณะกรรมาธิการเสนอแผนที่ชัดเจนก่อนสิ้นฤดูร้อน
        ทุกประเทศสมาชิกรับผิดชอบพรมแดนและแหล่งน้ำของตน โรงเรียนและโรงพยาบาลต้องการการสนับสนุนจากงบประมาณร่วมมากขึ้น
        พรุ่งนี้เราจะลงคะแนนเสียงร่วมกับเพื่อนจากกลุ่มอื่น""",
    "zh": """议员说，欧盟必须保护所有地区的小农户。去年我们各国的物价上涨了百分之十二。我们不想让贫穷的家庭为这场危机付出代价。
        议会要求委员会在夏天结束之前提出一个清楚的计划。每个成员国都对自己的边界和水源负责。感谢主席女士的讲话和委员会的大量工作。
        学校和医院需要共同预算的更多支持。明天我们将和其他党团的同事一起对这项决议投票。人民在西方和东方都看见长长的车队。""",
}
NEGATED = {
    "en": "not no never none nobody nothing without neither nor cannot nowhere hardly", "fr": "pas ne n jamais rien aucun aucune sans ni non personne",
    "de": "nicht kein keine keinen keinem keiner keines nie niemals ohne weder nichts niemand niemanden", "es": "no nunca sin ni nada nadie ningún ninguna ninguno jamás tampoco",
    "it": "non né mai senza nessun nessuno nessuna niente nulla nemmeno neanche neppure", "pl": "nie bez ani nic nikt nigdy żaden żadna żadne żadnych żadnego żadnej",
    "el": "δεν δε μη μην όχι ποτέ χωρίς ούτε κανείς κανένας καμία κανένα τίποτα", "nl": "niet geen nooit noch zonder niets niemand",
    "ro": "nu n nici fără niciodată nimic nimeni niciun nicio", "pt": "não sem nem nunca nada ninguém nenhum nenhuma jamais tampouco",
    "sv": "inte ej icke aldrig utan ingen inget inga ingenting", "hr": "ne nije nisu nema ni bez nikad nikada nitko ništa nismo nisam nemamo nemaju neće nećemo",
    "hu": "nem ne sem sincs nincs nincsenek nélkül soha", "fi": "ei en et emme ette eivät eikä ilman älä", "da": "ikke ingen intet aldrig uden hverken",
    "bg": "не без никога никой нито няма нищо нямат нямаме", "sl": "ne ni niso nima nisem nismo brez nikoli nihče nimamo nimajo",
    "ar": "لا", "he": "לא", "hi": "नहीं", "th": "ไม่", "zh": "不", "sk": "nie bez ani nič nikto nikdy", "cs": "ne bez ani nic nikdo nikdy není", "lt": "ne nėra be niekada", "lv": "ne nav bez nekad",
}  # fmt: skip
PREFIXED = {"cs", "sk", "lt", "lv"}
"""There a verb is negated by `ne-`."""
HARMLESS = frozenset(
    [
        "nes",
        "net",
        "nei",
        "nebo",
        "neboť",
        "než",
        "nech",
        "nejen",
        "nejprve",
        "nedeľu",
        "neděli",
        "nekā",
        "nes",
        "nepaisant",
        "neseniai",
    ]
)
_SOLID = regex.compile(r"[\p{Han}\p{Thai}]")


def negates(text: str, language: str) -> bool:
    """Whether a reader of the language would find a negation in these words."""
    if language in ("th", "zh"):
        return NEGATED[language] in text
    words = regex.findall(
        r"[\p{L}\p{M}]+", text.lower().replace("non-", "").replace("n't", " not").replace("n’t", " not")
    )
    if any(word in NEGATED[language].split() for word in words):
        return True
    return language in PREFIXED and any(word.startswith("ne") and word not in HARMLESS for word in words)


def _break(rng: random.Random, passage: str) -> str:
    """Long words broken at a line's end."""

    def cut(word: re.Match[str]) -> str:
        place = rng.randint(3, len(word.group()) - 3)
        hyphen = rng.choice(["-", "-", "-", "‐", "\u00ad", "¬"])
        line = rng.choice(["\n", "\n", "\r\n", "\n    ", " \n", "\n\t"])
        return word.group()[:place] + hyphen + line + word.group()[place:]

    if _SOLID.search(passage):  # no hyphens there
        return "".join(
            cluster + rng.choice(["", "", "", "\n"]) for cluster in regex.findall(r"\d+|\X", passage)
        )
    return re.sub(
        r"(?<![\w-])[^\W\d_]{7,}(?![\w-])",
        lambda word: cut(word) if rng.random() < 0.4 else word.group(),
        passage,
    )


def _join(rng: random.Random, passage: str) -> str:
    """Characters that show nothing inside words."""
    return re.sub(
        r"(?<=[^\W\d_]{2})(?=[^\W\d_]{2})",
        lambda _: rng.choice(["", "", "\u00ad", "\u200c", "\u200d", "\u200b"]),
        passage,
    )


def _tag(rng: random.Random, passage: str) -> str:
    """HTML: tags around words, entities, line breaks."""
    words = passage.replace("&", "&amp;").replace("’", "&rsquo;").split(" ")
    for place, word in enumerate(words):
        tag = rng.choice(
            ["", "", "", "b", "em", "span class='a b'", 'a href="https://a.example/not?x=1&y=2"', "STRONG"]
        )
        if tag and word:
            words[place] = f"<{tag}>{word}</{tag.split()[0]}>"
    spaces = [" ", " ", " ", "&nbsp;", "<br>", "<br/>\n", "&#32;", "</p>\n<p>"]
    return "".join(word + rng.choice(spaces) for word in words[:-1]) + words[-1]


def _mark_down(rng: random.Random, passage: str) -> str:
    """Markdown: emphasis, links, quoted lines."""
    words = passage.split(" ")
    underscored = [] if _SOLID.search(passage) else ["_{}_", "__{}__"]  # not inside words
    for place, word in enumerate(words):
        kind = rng.choice(
            ["{}"] * 5 + ["**{}**", "*{}*", "***{}***", "[{}](https://a.example/b_c)", *underscored]
        )
        if re.fullmatch(r"[^\W_]+", word):
            words[place] = kind.format(word)
    return re.sub(
        r"(?<![\d>]) (?![\d>])", lambda _: rng.choice([" "] * 6 + ["\n> ", "\\\n"]), " ".join(words)
    )


def _point(rng: random.Random, passage: str) -> str:
    """Vowel signs and tatweel on Arabic, niqqud on Hebrew."""
    passage = re.sub("(?<=[ء-ي])(?=[ء-ي])", lambda _: rng.choice(["", "َ", "ُ", "ِ", "ْ", "ّ", "ـ"]), passage)
    return re.sub("(?<=[א-ת])", lambda _: rng.choice(["", "ָ", "ַ", "ְ", "ֵ", "ִ"]), passage)


def _write_radicals(rng: random.Random, passage: str) -> str:
    """Radicals for the ideographs they look like, as text out of PDFs has them."""
    table = str.maketrans("人大小手方水一二十西民长车见门山心日月", "⼈⼤⼩⼿⽅⽔⼀⼆⼗⻄⺠⻓⻋⻅⻔⼭⼼⽇⽉")
    return "".join(char.translate(table) if rng.random() < 0.8 else char for char in passage)


MARKS: dict[str, Mark] = {
    "broken words": _break, "joiners": _join, "HTML": _tag, "Markdown": _mark_down, "vowel signs": _point,
    "radicals": _write_radicals,
}  # fmt: skip

_BEFORE = regex.compile(r"(?:<[^<>]*>|[*_\[]|\s)*")
_AFTER = regex.compile(r"(?r)(?:<[^<>]*>|\]\([^()]*\)|[*_]|\s)*")


def inner_span(written: str) -> tuple[int, int]:
    """Where the words of a marked passage begin and end."""
    before, after = _BEFORE.match(written), _AFTER.match(written)
    return before.end() if before else 0, after.start() if after else len(written)


# what stands in the text and what a quote makes of it, between the same words
GUARDS = (
    ("non-\nbinding", "binding"), ("non-\nbinding", "nonbinding"), ("-\n5", "5"), ("-\n5", "-5"), ("10^2", "102"),
    ("12[3]", "123"), ("~~must~~", "must"), ("~~must~~", ""), ("<del>must</del>", "must"), ("<s>12</s> 13", "12 13"),
    ("10<sup>2</sup>", "102"), ("12<b>3</b>", "123"), ("12[3](https://a.example)", "123"), ("10-\n20", "1020"),
    ("[must](not)", "must"), ("a<b and c>d", "ad"), ("\n> 5", "5"), ("<!-- not -->", ""), ("**not**", ""),
    ("&#8722;5", "5"), ("<b>not</b>", ""), ("1&#46;5", "15"), ("3<br>000 4", "3000 4"), ("**12** 5", "125"),
)  # fmt: skip
ENDINGS = regex.compile(r"[.!?।。؟]+[\"”»’)]*(?=\s|$|[\u4e00-\u9fff])|\n\s*\n")
"""Where a sentence ends, for those who make quotes with gaps."""
