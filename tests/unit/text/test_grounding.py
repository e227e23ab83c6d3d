"""Where a quote stands in a text, and what it may be called."""

import random
import time
import unicodedata

import pytest
from hypothesis import assume, given, settings, strategies as st

from cupel.text.grounding.grounder import Grounder, ground
from cupel.text.grounding.matches import STRENGTH, Grounding, is_grounded

SPEECH = (
    "Madam President, we must not accept this proposal as it stands. The committee heard on 12 March that prices had "
    "risen by 1.5 percent, while wages fell to -3 percent; 3,000 farmers lost their farms and 40 000 more can't pay "
    "their debts.\nHe told us: “The European Union isn’t a cash machine – it is a promise”. That is why our group, "
    "which is part of the majority, will vote for the amendment on non-binding targets and for nothing else… "
    "The EU owes the people of Réunion an answer, and the EU will give it before the summer."
)
OTHERS = {
    "greek": ("Η Ευρώπη δεν είναι αγορά, είναι οι άνθρωποί της.", "ευρώπη δεν ΕΊΝΑΙ αγορά"),
    "chinese": ("欧洲议会今天通过了这项决议。各国政府必须在夏天之前作出答复。", "各国政府 必须在夏天之前"),
    "japanese": ("欧州議会は本日、決議を採択しました。", "決議を採択しました"),
    "thai": ("รัฐสภายุโรปลงมติรับรองข้อมตินี้แล้ว", "ลงมติรับรอง"),
    "korean": ("유럽연합은 오늘 결의안을 채택했다.", "유럽연합"),
    "hindi": ("यूरोपीय संसद ने आज प्रस्ताव पारित किया।", "आज प्रस्ताव पारित"),
    "arabic": ("اعتمد البرلمان الأوروبي القرار اليوم.", "البرلمان الأوروبي"),
    "bulgarian": ("Европейският парламент прие резолюцията днес.", "ПАРЛАМЕНТ ПРИЕ резолюцията"),
}


def match(quote: str, text: str = SPEECH) -> str:
    return ground(quote, text).match


def quoted(found: Grounding, text: str = SPEECH) -> str:
    return text[found.start : found.end]


# ---------------------------------------------------------------- verbatim


@pytest.mark.parametrize(
    "quote",
    [
        "we must not accept this proposal",
        "3,000 farmers",
        "-3 percent",
        "can't pay their debts.\nHe told us",
        "“The European Union isn’t a cash machine",
        "EU",
        "non-binding targets",
        "Réunion",
        "40 000",
        SPEECH,
    ],
)
def test_the_texts_own_characters_are_verbatim(quote):
    """The offsets give the quote back."""
    found = ground(quote, SPEECH)

    assert found.match == "verbatim"
    assert quoted(found) == quote
    assert found.parts == ((found.start, found.end),)
    assert (found.similarity, found.diff) == (1.0, "")


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        pytest.param("art", "This is part of the plan.", id="inside a word"),
        pytest.param("can", "We can't pay.", id="can of can't"),
        pytest.param("is", "It isn’t so.", id="is of isn’t"),
        pytest.param("can", "We can‘t pay.", id="another apostrophe"),
        pytest.param("can", "We cannot pay.", id="can of cannot"),
        pytest.param("15", "It rose to 150.", id="digits of a number"),
        pytest.param("3", "It lost 3,000 farms.", id="thousands of a number"),
        pytest.param("rose by 3", "It rose by 3 000 in May.", id="thousands after a space"),
        pytest.param(
            "000 farms", "It lost 40\u00a0000 farms.", id="the end of a number with a no-break space"
        ),
        pytest.param("5 percent", "It rose by 1.5 percent.", id="decimals of a number"),
        pytest.param("5 percent", "It rose by .5 percent.", id="decimals without a nought"),
        pytest.param("3.5", "It cost 3.5bn in May.", id="a number without its scale"),
        pytest.param("3 percent", "Wages: -3 percent.", id="a number without its minus"),
        pytest.param("3 percent", "Wages: −3 percent.", id="a number without its typographic minus"),
        pytest.param("€3 million", "It made -€3 million.", id="an amount without its minus"),
        pytest.param("-25", "Between 2020-25 it rose.", id="the end of a range as a negative number"),
        pytest.param("binding targets", "We want non-binding targets.", id="the rest of a negated word"),
        pytest.param("e", "e\u0301", id="a letter without its accent"),
    ],
)
def test_a_quote_never_matches_inside_a_word_or_number(quote, text):
    """What is cut out of a word or number says something else."""
    assert not is_grounded(match(quote, text))


def test_a_word_is_found_where_it_stands_alone_after_a_word_that_contains_it():
    """The first occurrences may be inside other words, however many."""
    text = "parts " * 30 + "of art"

    assert ground("art", text) == Grounding("verbatim", 183, 186, 1.0, "", ((183, 186),))


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        pytest.param("Europe", "l’Europe des peuples", id="after an elided article"),
        pytest.param("Europe", "Europe's future", id="before a genitive"),
        pytest.param("EU", "the EU-funded scheme", id="before a hyphen"),
        pytest.param("議会", "欧州議会は", id="a script without spaces"),
        pytest.param("EU", "EU加盟国", id="Latin letters beside Chinese"),
        pytest.param("유럽연합", "유럽연합은", id="a Korean name with its particle"),
    ],
)
def test_a_name_is_found_beside_what_is_not_part_of_it(quote, text):
    """Entity quotes are short; apostrophes, hyphens and other scripts end a word."""
    assert match(quote, text) == "verbatim"


# ---------------------------------------------------------------- normalised


@pytest.mark.parametrize(
    ("quote", "passage"),
    [
        pytest.param("WE MUST NOT ACCEPT", "we must not accept", id="case"),
        pytest.param("\"The European Union isn't", "“The European Union isn’t", id="quote style"),
        pytest.param("cash machine — it is", "cash machine – it is", id="dash style"),
        pytest.param("cash machine -- it is", "cash machine – it is", id="two hyphens for a dash"),
        pytest.param("can't  pay\n\ttheir debts", "can't pay their debts", id="whitespace"),
        pytest.param("lost\u00a0their\u202ffarms", "lost their farms", id="no-break spaces"),
        pytest.param(
            "com\u00admit\u00adtee he\u200bard", "committee heard", id="soft hyphens and zero width"
        ),
        pytest.param("o\ufb03cial", "official", id="ligature"),
        pytest.param("Re\u0301union", "Réunion", id="decomposed accent"),
        pytest.param("1.5 ｐｅｒｃｅｎｔ", "1.5 percent", id="full width"),
        pytest.param("nothing else... The EU", "nothing else… The EU", id="three dots for an ellipsis"),
        pytest.param("'we must not accept.'", "we must not accept", id="punctuation around it"),
        pytest.param(
            "... will vote for the amendment ...", "will vote for the amendment", id="ellipsis around it"
        ),
        pytest.param(" part of the majority ", "part of the majority", id="spaces around it"),
        pytest.param("40\u00a0000 more", "40 000 more", id="another space in a number"),
        pytest.param("majority,will vote", "majority, will vote", id="no space after a comma"),
    ],
)
def test_another_style_of_the_same_words_is_normalised(quote, passage):
    """The offsets are those of the original characters."""
    text = SPEECH + " It is official."
    found = ground(quote.strip("\r"), text)

    assert found.match == "normalised"
    assert quoted(found, text).strip(" ") == passage


def test_decomposed_text_is_found_with_a_composed_quote():
    """Offsets count the code points of the text as given."""
    text = unicodedata.normalize("NFD", SPEECH)
    found = ground("the people of Réunion an answer", text)

    assert found.match == "normalised"
    assert quoted(found, text) == "the people of Re\u0301union an answer"


def test_punctuation_around_the_quote_belongs_to_the_span_where_the_text_has_it():
    """A question mark that both have is quoted; one that only the quote has is not."""
    assert quoted(ground("HE TOLD US:", SPEECH)) == "He told us:"
    assert quoted(ground("HE TOLD US!", SPEECH)) == "He told us"


@pytest.mark.parametrize("language", OTHERS)
def test_other_scripts_are_found_too(language):
    """Greek and Cyrillic have case, Chinese and Japanese no spaces, Thai and Hindi marks on their letters."""
    text, quote = OTHERS[language]
    found = ground(quote, text)

    assert is_grounded(found.match)
    assert "".join(quoted(found, text).split()).casefold() == "".join(quote.split()).casefold()


def test_short_capitals_are_not_the_word_they_spell():
    """US is not us; in other cases the case of a quote does not matter."""
    text = "They told us that it matters to the EU."

    assert match("US", text) == "absent"
    assert match("IT", text) == "absent"
    assert match("eu", text) == "normalised"
    assert match("THEY", text) == "normalised"


# ---------------------------------------------------------------- elided


@pytest.mark.parametrize("gap", [" ... ", "… ", " [...] ", " (…) ", " . . . ", " <...> ", ", […] "])
def test_a_marked_gap_is_elided_with_the_span_of_each_part(gap):
    """Start and end cover the whole passage."""
    found = ground(f"The committee heard on 12 March{gap}3,000 farmers lost their farms", SPEECH)

    assert found.match == "elided"
    assert [SPEECH[start:end] for start, end in found.parts] == [
        "The committee heard on 12 March",
        "3,000 farmers lost their farms",
    ]
    assert (found.start, found.end) == (found.parts[0][0], found.parts[1][1])
    assert not is_grounded(found.match)


def test_a_quote_may_have_two_gaps():
    """Every part has its span, in order."""
    found = ground("the committee heard … lost their farms … will vote for the amendment", SPEECH)

    assert [SPEECH[start:end] for start, end in found.parts] == [
        "The committee heard",
        "lost their farms",
        "will vote for the amendment",
    ]


def test_an_ellipsis_of_the_text_itself_is_no_gap():
    """Where the speaker paused, nothing was left out."""
    assert match("for nothing else… The EU owes") == "verbatim"
    found = ground("will vote for the amendment ... nothing else... The EU owes", SPEECH)

    assert found.match == "elided"
    assert len(found.parts) == 2


@pytest.mark.parametrize(
    "quote",
    [
        pytest.param("3,000 farmers lost their farms ... The committee heard on", id="in another order"),
        pytest.param("we must ... the summer", id="parts too short"),
        pytest.param("we ... accept", id="single words"),
        pytest.param(
            "we must not ... and the fish sang all night in the harbour", id="real words and foreign text"
        ),
        pytest.param("The committee heard ... committee heard on 12", id="the same words twice"),
        pytest.param("The committee heard ... prices had fallen by", id="a part that was altered"),
        pytest.param("Madam President, we must ... accept this proposal", id="only a not left out"),
        pytest.param("we must not accept this ... wages fell to 3 percent", id="a part that cuts a number"),
    ],
)
def test_parts_that_prove_nothing_are_not_elided(quote):
    """Each part must be telling, in place and whole, and the gap must not hide the one word that matters."""
    assert STRENGTH[ground(quote, SPEECH).match] < STRENGTH["elided"]


def test_parts_far_from_each_other_are_not_one_quote():
    """A page between two parts makes a passage that nobody said."""
    quote = "here is how it begins ... and this is how it ends"
    near, far = (
        f"Here is how it begins. {'Words. ' * count}And this is how it ends." for count in (100, 400)
    )

    assert match(quote, near) == "elided"
    assert match(quote, far) != "elided"


def test_the_tightest_of_several_chains_is_taken():
    """A beginning that occurs twice is the one before the end."""
    text = (
        "We all have to act. " + "Nothing was said then. " * 5 + "We all have to act today, and act as one."
    )
    found = ground("we all have to act ... and act as one", text)

    assert found.start == text.rindex("We all")


# ---------------------------------------------------------------- altered


@pytest.mark.parametrize(
    ("quote", "diff"),
    [
        pytest.param(
            "we must accept this proposal", "we must [-not-] accept this proposal", id="not dropped"
        ),
        pytest.param(
            "will not vote for the amendment", "will {+not+} vote for the amendment", id="not inserted"
        ),
        pytest.param("40 000 more can pay", "40 000 more [-can't-] {+can+} pay", id="n't dropped"),
        pytest.param(
            "European Union is a cash machine", "European Union [-isn’t-] {+is+} a cash machine", id="isn’t"
        ),
        pytest.param("risen by 15 percent", "risen by [-1.5-] {+15+} percent", id="decimal point dropped"),
        pytest.param("3 000 farmers lost", "[-3,000-] {+3 000+} farmers lost", id="thousands or decimals"),
        pytest.param("3000 farmers lost", "[-3,000-] {+3000+} farmers lost", id="separator dropped"),
        pytest.param("wages fell to 3 percent", "wages fell to [--3-] {+3+} percent", id="minus dropped"),
        pytest.param("wages fell to -4 percent", "wages fell to [--3-] {+-4+} percent", id="number changed"),
        pytest.param("risen by 1.5 points", "risen by 1.5 {+points+}", id="unit changed"),
        pytest.param(
            "amendment on binding targets", "amendment on [-non--] binding targets", id="non- dropped"
        ),
        pytest.param(
            "14 March that prices had", "[-12-] {+14+} March that prices had", id="first word changed"
        ),
        pytest.param("our group which is part", "our group [-,-] which is part", id="comma dropped"),
    ],
)
def test_a_changed_word_or_number_is_altered_and_shown(quote, diff):
    """The difference leads from the text to the quote: [-what the text has-], {+what the quote has+}."""
    found = ground(quote, SPEECH)

    assert found.match == "altered"
    assert found.diff == diff
    assert 0.75 <= found.similarity < 1


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        pytest.param("we cannot pay", "Today we can not pay.", id="cannot, can not"),
        pytest.param("an area of 102 units", "It has an area of 10² units.", id="superscript"),
        pytest.param("an area of 21/2 units", "It has an area of 2½ units.", id="fraction"),
        pytest.param("rose by -5 degrees", "It rose by 5 degrees.", id="minus inserted"),
        pytest.param("it made -€3 million in May", "it made €3 million in May", id="minus before a currency"),
        pytest.param("-€3 million in May", "€3 million in May", id="minus in front"),
        pytest.param("- 5 degrees in May", "5 degrees in May", id="minus and a space"),
        pytest.param("from 2014 to -2023", "from 2014 to --2023", id="two dashes or a minus"),
        pytest.param("it fell by 5 % in May", "it fell by 5 in May", id="percent"),
        pytest.param(
            "there are 3 in this country", "there are 3 000 in this country", id="thousands dropped"
        ),
        pytest.param("it costs €5 in May", "it costs $5 in May", id="currency"),
        pytest.param("in the year 3’000 it ends", "in the year 3000 it ends", id="Swiss thousands"),
    ],
)
def test_no_folding_hides_a_changed_number_or_negation(quote, text):
    """A change is altered at best, whatever whitespace, punctuation and Unicode rules do."""
    assert STRENGTH[match(quote, text)] <= STRENGTH["altered"]


def test_a_long_quote_is_aligned_as_well():
    """The diff shows the change with a few words around it, not the quote."""
    quote = SPEECH.replace("will vote", "will never vote")
    found = ground(quote, SPEECH)

    assert (found.match, found.start, found.end) == ("altered", 0, len(SPEECH) - 1)
    assert found.diff == "… the majority, will {+never+} vote for the amendment …"


def test_a_misspelt_name_points_at_the_name():
    """Single words are aligned by their letters, and found whole."""
    found = ground("Komission", "The European Commission agreed.")

    assert found.diff == "[-Commission-] {+Komission+}"


# ---------------------------------------------------------------- absent


@pytest.mark.parametrize(
    "quote",
    [
        pytest.param("", id="empty"),
        pytest.param(" \n\u200b", id="only whitespace"),
        pytest.param("...", id="only punctuation"),
        pytest.param("The whale sang to the lighthouse keeper until dawn", id="invented"),
        pytest.param(
            "we must not forget that whales sing until dawn on the coast of Norway", id="three real words"
        ),
        pytest.param("USA", id="a short name"),
        pytest.param("x" * 5000, id="one long word"),
        pytest.param("of it by the in to a an " * 300, id="longer than the text"),
    ],
)
def test_what_is_not_in_the_text_is_absent(quote):
    """What is not in the text has no place."""
    found = ground(quote, SPEECH)

    assert found.match == "absent"
    assert (found.start, found.end, found.parts, found.diff) == (None, None, (), "")
    assert 0 <= found.similarity < 0.8


@pytest.mark.parametrize("text", ["", " ", "…", "\x00"])
def test_nothing_is_found_in_an_empty_text(text):
    """An empty quote is not found there either."""
    assert match("we must", text) == "absent"
    assert match("", text) == "absent"


# ---------------------------------------------------------------- many quotes


def test_repeated_quotes_take_successive_places():
    """The n-th mention of a name points at its n-th place; then the first again."""
    text = "The Council is late. Every council is a Council."
    grounder, used, found = Grounder(text), [], []
    for _ in range(4):
        found.append(grounder.ground("Council", used=used))
        used.append((found[-1].start, found[-1].end))

    assert [(place.match, place.start) for place in found] == [
        ("verbatim", 4),
        ("verbatim", 40),
        ("normalised", 27),
        ("verbatim", 4),
    ]


def test_a_place_counts_as_used_with_or_without_the_spaces_around_it():
    """Two quotes that differ in outer whitespace are the same words."""
    text = "We act. We act."

    assert Grounder(text).ground("We act. ", used=[(0, 7)]).start == 8


def test_a_prepared_text_grounds_as_a_fresh_one_does():
    """What was looked up before changes nothing."""
    grounder = Grounder(SPEECH)
    quotes = [
        "art",
        "we must accept this proposal",
        "EU",
        "3",
        "the eu owes ... before the summer",
        "3,000 farmers",
    ]
    fresh = [Grounder(SPEECH).ground(quote) for quote in quotes]

    assert [grounder.ground(quote) for quote in quotes] == fresh
    assert [grounder.ground(quote) for quote in quotes] == fresh


def test_matches_are_ordered_by_what_they_prove():
    """Elided is located, but only verbatim and normalised are quotations."""
    assert sorted(STRENGTH, key=STRENGTH.__getitem__) == [
        "absent",
        "altered",
        "elided",
        "normalised",
        "verbatim",
    ]
    assert [name for name in STRENGTH if is_grounded(name)] == ["normalised", "verbatim"]


@pytest.mark.parametrize(
    "quote",
    [
        pytest.param("stand up for the amendment and not for the fish", id="altered"),
        pytest.param("whales sing to the keeper of the light until dawn", id="absent"),
        pytest.param("a " * 400, id="long"),
        pytest.param("(" * 2000, id="brackets"),
        pytest.param("." * 2000 + "a", id="dots"),
        pytest.param("the " * 20_000, id="longer than any quote"),
    ],
)
def test_no_quote_takes_long(quote):
    """Quotes come from a model: the longest must not stall a run. The real figure is benchmarks/grounding.py's."""
    grounder = Grounder(SPEECH * 50)
    grounder.ground("no such thing")
    begun = time.process_time()
    grounder.ground(quote)

    assert time.process_time() - begun < 0.5


# ---------------------------------------------------------------- properties

WORDS = SPEECH.split()
ANY_TEXT = st.text(
    st.one_of(
        st.sampled_from("ab 12.,-−–<>&;*_~[]\n'’\"“…()%½²\u00a0\u00ad\u200b\u0301欧한ไήσς ﬁ℃İß"),
        st.characters(),
    ),
    max_size=40,
)


@st.composite
def passages(draw, shortest=1):
    """Some whole words of the speech."""
    first = draw(st.integers(0, len(WORDS) - shortest))
    stop = draw(st.integers(first + shortest, len(WORDS)))
    return " ".join(WORDS[first:stop])


@given(passages(shortest=2))
@settings(deadline=None)
def test_property_what_is_cut_at_spaces_is_verbatim(quote):
    """An exception is a cut through a number: "40" is not what was said of 40 000."""
    assume(not quote.endswith(" 40"))
    assume(not quote.startswith("000 "))
    text = " ".join(WORDS)
    found = ground(quote, text)

    assert found.match == "verbatim"
    assert quoted(found, text) == quote


@given(passages(shortest=3), st.data())
@settings(deadline=None)
def test_property_case_and_whitespace_do_not_matter(quote, data):
    """Any word in any case with any space between is normalised at least, unless it was not even verbatim."""
    styles = data.draw(st.lists(st.sampled_from([str.upper, str.lower, str.title]), min_size=1, max_size=3))
    spaces = data.draw(st.sampled_from(["\n", "  ", "\u00a0", " \u200b", "\r\n"]))
    restyled = spaces.join(styles[i % len(styles)](word) for i, word in enumerate(quote.split()))
    as_it_is = ground(quote, SPEECH)
    found = ground(restyled, SPEECH)

    assert STRENGTH[found.match] >= min(STRENGTH[as_it_is.match], STRENGTH["normalised"])


@given(passages(shortest=2), st.data())
@settings(deadline=None)
def test_property_a_word_put_in_is_altered_at_best(passage, data):
    """A word put in makes a quote altered at best, and a negation most of all."""
    words = passage.split()
    place = data.draw(st.integers(1, len(words) - 1))
    added = data.draw(st.sampled_from(["not", "never", "no", "-2", "2", "nor"]))
    quote = " ".join([*words[:place], added, *words[place:]])

    assert STRENGTH[match(quote)] <= STRENGTH["altered"]


@given(ANY_TEXT, ANY_TEXT)
@settings(max_examples=400, deadline=None)
def test_property_no_claim_is_false_whatever_the_characters(quote, text):
    """What is verbatim is in the text at its offsets; every span is in order, inside the text and the whole."""
    text += quote[1:-1] + " " + quote + text
    found = ground(quote, text)

    if found.match == "verbatim":
        assert text[found.start : found.end] == quote
    if found.match == "absent":
        assert found == Grounding("absent", similarity=found.similarity)
        return
    ends = [end for part in found.parts for end in part]
    assert (found.start, found.end) == (ends[0], ends[-1])
    assert ends == sorted(ends)
    assert 0 <= found.start < found.end <= len(text)
    assert (found.match == "altered") == bool(found.diff)
    assert (found.match == "altered") == (found.similarity < 1)


@given(ANY_TEXT, ANY_TEXT)
@settings(deadline=None)
def test_property_never_verbatim_without_the_characters(quote, text):
    """Such a quote may be called anything else."""
    assert quote in text or match(quote, text) != "verbatim"


@given(st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_property_shuffled_words_are_no_quote(rng: random.Random):
    """Nine words in another order are altered or absent."""
    first = rng.randrange(len(WORDS) - 9)
    words = WORDS[first : first + 9]
    shuffled = rng.sample(words, 9)

    assert shuffled == words or not is_grounded(match(" ".join(shuffled)))
