"""Quotes and texts with layout and markup: what may be passed over, and what may not."""

import html
import re

import pytest
from hypothesis import assume, given, settings, strategies as st

from cupel.text.grounding import ground, is_grounded
from cupel.text.grounding.matches import STRENGTH
from cupel.text.grounding.reading import read

WORDS = {
    "latin": "such rules and practices have pushed consumer prices upwards since September in several countries",
    "cyrillic": "такива правила и практики повишиха потребителските цени след септември във всички държави",
    "greek": "τέτοιοι κανόνες και πρακτικές αύξησαν τις τιμές καταναλωτή μετά τον Σεπτέμβριο παντού",
    "arabic": "هذه القواعد والممارسات رفعت أسعار المستهلك منذ أيلول في جميع البلدان",
    "hebrew": "כללים ונהגים כאלה העלו את מחירי הצרכן מאז ספטמבר במדינות רבות",
    "hindi": "ऐसे नियमों और प्रथाओं ने सितंबर से कई देशों में उपभोक्ता कीमतें बढ़ाई हैं",
    "chinese": "这些 规则 和 做法 从 九月 以来 推高 了 许多 国家 的 消费 价格",
}
BREAKS = ["-\n", "-\r\n", "‐\n  ", "\u00ad\n", "¬\n\t", "- \n"]


def match(quote: str, text: str) -> str:
    return ground(quote, text).match


# ---------------------------------------------------------------- what may be passed over

MARKS = {
    "tag": "<b>{}</b>",
    "tag with attributes": "<a href='https://a.example/not?x=1'>{}</a>",
    "tag in capitals": '<SPAN class="no">{}</SPAN>',
    "emphasis": "*{}*",
    "strong": "**{}**",
    "both": "***{}***",
    "underscores": "_{}_",
    "link": '[{}](https://a.example/b_(c) "Title")',
    "nothing": "{}",
}  # fmt: skip
GAPS = [" ", "\n", "&nbsp;", "<br>", "<br />\n", "</p>\n<p>", "\n> ", "\\\n", " \u200b"]


@st.composite
def marked(draw):
    """Words of one script, and the same with marks around them, spaces of all kinds, and long words broken."""
    words = WORDS[draw(st.sampled_from(sorted(WORDS)))].split()
    first = draw(st.integers(0, len(words) - 3))
    words = words[first : draw(st.integers(first + 3, len(words)))]
    pieces = []
    for word in words:
        inside = word
        if re.fullmatch(r"[a-zа-яα-ωά-ώ]{7,}", word) and draw(st.booleans()):
            place = draw(st.integers(3, len(word) - 4))
            inside = word[:place] + draw(st.sampled_from([*BREAKS, "\u00ad", "&shy;", "<b>"])) + word[place:]
            inside += "</b>" if "<b>" in inside else ""
        pieces.append(MARKS[draw(st.sampled_from(sorted(MARKS)))].format(inside))
        pieces.append(draw(st.sampled_from(GAPS)))
    return " ".join(words), "".join(pieces[:-1])


@given(marked(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_property_marks_on_either_side_are_passed_over(pair, is_on_quote):
    """The same words are found with the marks on the text or on the quote, at their place in the text as given."""
    plain, written = pair
    quote, passage = (written, plain) if is_on_quote else (plain, written)
    text = f"Before it, said at length.\n\n{passage} . After it, said too."
    found = ground(quote, text)

    assert is_grounded(found.match)
    place = text[found.start : found.end]
    assert place in passage
    assert (place[0], place[-1]) == (plain[0], plain[-1])


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        pytest.param("the price-determining factors", "the price-\ndetermining factors", id="compound keeps it"),
        pytest.param("the pricedetermining factors", "the price-\ndetermining factors", id="compound loses it"),
        pytest.param("state-of-the-art rules", "some state-of-\nthe-art rules", id="one hyphen of several"),
        pytest.param("price-determining prac-tices", "price-\ndetermining prac-\ntices", id="two compounds"),
        pytest.param("the price-\ndetermining one", "the price-determining one", id="broken in the quote"),
        pytest.param("the capabilities of it", "the capabili- ties of it", id="line break lost"),
        pytest.param("the capabili- ties of it", "the capabilities of it", id="line break lost in the quote"),
        pytest.param("a brand of it", "a br-\nand of it", id="the rest looks like a conjunction"),
        pytest.param("such PRACTICES of it", "such PRAC-\nTICES of it", id="capitals"),
        pytest.param("the Anglo-Saxon one", "the Anglo-\nSaxon one", id="a name"),
        pytest.param("a non-binding text", "a non-\nbinding text", id="non- with its hyphen"),
        pytest.param("pre- and post-war years", "the pre-\nand post-war years", id="a hyphen for the rest"),
        pytest.param("so AT&T said", "so AT&amp;T said", id="ampersand"),
        pytest.param("it's “so” he said", "it&#39;s &ldquo;so&rdquo; he said", id="quotes"),
        pytest.param("about 5 m² of it", "about 5 m<sup>2</sup> of it", id="square metres"),
        pytest.param("the 2nd time", "the 2<sup>nd</sup> time", id="ordinal"),
        pytest.param("about -5 of it", "about &minus;<b>5</b> of it", id="a sign is kept"),
        pytest.param("قال المجلس الأوروبي", "قَالَ المَجْلِسُ الأُورُوبِّيُّ", id="harakat"),
        pytest.param("قَالَ المجلس", "قال المجلس", id="harakat in the quote"),
        pytest.param("المجلس الأوروبي", "الـمـجـلس الأوروبـــي", id="tatweel"),
        pytest.param("שלום לכל חברי", "שָׁלוֹם לְכָל חַבְרֵי", id="niqqud"),
        pytest.param("من میخواهم بروم", "من می‌خواهم بروم", id="ZWNJ"),
        pytest.param("क्षमा करें", "क्\u200dषमा करें", id="ZWJ"),
        pytest.param("人民在西方", "⼈⺠在⻄⽅", id="radicals"),
        pytest.param("人民的长车", "⼈⺠的⻓⻋", id="simplified radicals"),
    ],
)  # fmt: skip
def test_layout_and_markup_are_normalised(quote, text):
    """The words are the same; the span leads to them in the text as it was given."""
    assert match(quote, text) == "normalised"


def test_the_span_counts_the_characters_of_the_text_as_given():
    """Marks inside the passage belong to it, those around it do not."""
    text = "We <i>say</i>: **such rules** and prac-\n  tices&nbsp;*have* pushed."
    found = ground("such rules and practices have", text)

    assert text[found.start : found.end] == "such rules** and prac-\n  tices&nbsp;*have"


def test_half_a_link_is_verbatim_where_the_text_has_it():
    """A quote may be cut anywhere between words, markup or not."""
    text = "see [the rules and **practices**](https://a.example) of it"

    assert match("[the rules and **practices", text) == "verbatim"
    assert match("AND **PRACTICES**](https://a.example) of", text) == "normalised"


# ---------------------------------------------------------------- what may not

GUARDS = [
    ("non-\nbinding", "binding"), ("non-\nbinding", "nonbinding"), ("in-\nvalid", "valid"), ("-\n5", "5"), ("-\n5", "-5"),
    ("10^2", "102"), ("10<sup>2</sup>", "102"), ("10<sup>-2</sup>", "10-2"), ("10<sub>2</sub>", "102"), ("12[3]", "123"),
    ("12[3](https://a.example)", "123"), ("12<b>3</b>", "123"), ("12<b>&#51;</b>", "123"), ("12<b><i>3</i></b>", "123"),
    ("12**3**", "123"), ("2**10", "210"), ("1&#46;5", "15"), ("&#8722;5", "5"), ("-**5**", "5"), ("10-\n20", "1020"),
    ("<td>12</td><td>3</td>", "12 3"), ("~~must~~", "must"), ("~~must~~", ""), ("<del>must</del>", "must"),
    ("<s>must</s>", ""), ("<!-- not -->", ""), ("[must](not)", "must"), ("<b>not</b>", ""), ("**not**", ""), ("&#110;ot", ""),
    ("no&shy;t", ""), ("a<b and c>d", "ad"), ("if a<b>c", "if ac"), ("\n> 5", "5"), ("prac-\ntices", "prac"), ("prac-\ntices", "tices"),
    ("recover", "re-cover"), ("![not](a.png)", ""), ("snake_case_name", "snakecasename"), ("قَتَلَ", "قُتِلَ"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "quoted"), GUARDS)
@pytest.mark.parametrize(
    "others", ["We know that {} will be law in this house", "A re-\ncovered **word** & {} &amp; so on"]
)
def test_what_could_change_the_meaning_is_not_passed_over(written, quoted, others):
    """Between the same words the change is altered at best, in plain texts and in marked ones."""
    quote = re.sub(" +", " ", read(others, is_quote=True).plain.format(quoted)).replace("\u00ad", "")

    assert STRENGTH[match(quote, others.format(written))] <= STRENGTH["altered"]


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        pytest.param("rules and prac", "such rules and prac-\ntices have", id="ends in a broken word"),
        pytest.param("tices have pushed", "such prac-\ntices have pushed", id="begins in a broken word"),
        pytest.param("binding text applies", "a non-\nbinding text applies", id="begins after non-"),
        pytest.param("5 per cent now", "the change is -\n5 per cent now", id="begins after a minus"),
        pytest.param("area of 10", "an area of 10^2 units", id="ends before a power"),
        pytest.param("area of 10", "an area of 10<sup>2</sup> units", id="ends before a raised power"),
        pytest.param("5 per cent now", "it is -<b>5 per cent now</b>", id="begins after a marked minus"),
        pytest.param("accept this plan", "we ~~must accept this plan~~ go", id="struck out"),
        pytest.param("accept this plan", "we <del>must accept this plan, or</del> go", id="deleted"),
        pytest.param("fair to all", "that is un**fair to all**", id="the rest of a marked word"),
    ],
)
def test_no_quote_cuts_what_belongs_together(quote, text):
    """Even the text's own characters are no quote where they are half of something."""
    assert STRENGTH[match(quote, text)] <= STRENGTH["altered"]


@given(
    marked(),
    st.sampled_from(["not", "never", "не", "δεν", "لا", "לא", "नहीं", "不", "5"]),
    st.booleans(),
    st.data(),
)
@settings(max_examples=100, deadline=None)
def test_property_a_word_more_is_altered_at_best(pair, added, is_in_quote, data):
    """A negation or number put in or left out shows through any layout and markup."""
    plain, written = pair
    words = plain.split()
    place = data.draw(st.integers(1, len(words) - 1))
    more = " ".join([*words[:place], added, *words[place:]])
    marked_more = written.replace(words[place], f"{added} {words[place]}", 1)
    assume(is_in_quote or marked_more != written)
    quote, text = (more, written) if is_in_quote else (plain, marked_more)

    assert STRENGTH[match(quote, f"So: {text} . That is all.")] <= STRENGTH["altered"]


def test_other_vowel_signs_are_shown():
    """He killed is not he was killed."""
    found = ground("قُتِلَ الرجل أمس", "قيل إنه قَتَلَ الرجل أمس")

    assert found.match == "altered"
    assert found.diff.startswith("[-قَتَلَ-] {+قُتِلَ+}")


# ---------------------------------------------------------------- reading


@given(
    st.text(st.one_of(st.sampled_from("ab1 -\n<>/b&amp;*_[](){}~^.\\\u00ad¬"), st.characters()), max_size=60)
)
@settings(max_examples=400, deadline=None)
def test_property_every_character_read_knows_its_place(text):
    """Places are in order, inside the text, and what was not changed stands where it says."""
    reading = read(text)
    spans = [reading.span(place, place + 1) for place in range(len(reading.plain))]

    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert spans == sorted(spans)
    for char, (start, end) in zip(reading.plain, spans, strict=True):
        assert (
            text[start:end] == char
            or end - start > 1
            or char in '-\u00ad\n ^"'
            or char in html.unescape(text[start:end])
        )


@given(st.text(st.characters(exclude_characters="<>&*_~\\[]-‐¬֊\u00ad"), max_size=60))
@settings(deadline=None)
def test_property_a_text_without_marks_reads_as_it_is(text):
    """Nothing is prepared, nothing is copied."""
    assert read(text).is_as_given


# ---------------------------------------------------------------- gaps


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        pytest.param("with all of our friends in", "elided", id="no negation"),
        pytest.param("and will not wait for the others in", "altered", id="in the one sentence"),
        pytest.param("and we won't wait. So it is in", "altered", id="in the rest of the first"),
        pytest.param("and wait. That is not what we want in", "altered", id="in the beginning of the last"),
        pytest.param("and wait. That was not good. So it is in", "elided", id="in a whole sentence"),
        pytest.param("and wait.\n\nNo more of it\n\nSo it is in", "elided", id="in a whole paragraph"),
        pytest.param("and wait, as Mr. Smith, who is not here, said in", "altered", id="an abbreviation"),
        pytest.param("und nicht warten auf die anderen in", "altered", id="German"),
        pytest.param("и няма да чакаме другите in", "altered", id="Bulgarian"),
        pytest.param("και δεν θα περιμένουμε τους άλλους in", "altered", id="Greek"),
        pytest.param("ولن ننتظر الآخرين هذا العام in", "altered", id="Arabic"),
        pytest.param("ולא נחכה לאחרים השנה in", "altered", id="Hebrew"),
        pytest.param("और दूसरों का इंतज़ार नहीं करेंगे in", "altered", id="Hindi"),
        pytest.param("我们不会等待其他国家 in", "altered", id="Chinese"),
        pytest.param("我们在非洲和未来都会合作 in", "elided", id="Chinese words with such a character"),
        pytest.param("私たちは待たないでしょう in", "altered", id="Japanese"),
        pytest.param("เราจะไม่รอ in", "altered", id="Thai"),
        pytest.param("že kteří se nebudeme čekat in", "altered", id="Czech, by a prefix"),
    ],
)
def test_a_gap_may_hide_no_negation_of_a_sentence_that_is_quoted(gap, expected):
    """What is left out of a sentence quoted in part must not turn it round; whole sentences may go."""
    text = f"Europe has to act together {gap} the interest of all citizens."
    found = ground("Europe has to act together … the interest of all citizens", text)

    assert found.match == expected
    assert len(found.parts) == 2
    assert bool(found.diff) == (expected == "altered")


def test_parts_of_a_quote_with_gaps_may_be_marked_too():
    """Each part is read as a quote is."""
    text = "**Europe** has to act to-\ngether with all of our friends in&nbsp;the [interest](https://a.example) of all."

    assert match("Europe has to act together … in the interest of all", text) == "elided"


def test_more_gaps_than_anybody_marks_are_no_quote():
    """Each costs a search of the text: beyond some thirty nobody looks."""
    text = "so it was and then it is. " * 50

    assert match(" … ".join(["so it was and"] * 10), text) == "elided"
    assert STRENGTH[match(" … ".join(["so it was and"] * 40), text)] < STRENGTH["elided"]
