"""`offline:baseline`: a small classical extractor for English, so that everything runs without any key.

A smoke-test baseline and a floor, not a model to rely on: sentences are compared with the label definitions and
examples in the prompt (words and character n-grams, cue words), sentiment is VADER's lexicon, names are
runs of capitals. It fills any JSON Schema of strict mode (`pattern` and `format` are not looked at), only ever
quotes the document word for word, and gives the same answer to the same document whatever a refinement adds.

    chat.py       the LangChain chat model: messages and a schema in, a record out
    teaching.py   what the prompt teaches: label definitions and examples
    sentences.py  the document's sentences and clauses
    nearness.py   which label a sentence is lexically nearest to, and what the document is mostly about
    leaning.py    labels such as positive and negative, by VADER
    names.py      names and their kinds
    shapes.py     what a schema asks for at one place
    filling.py    the record
"""

from cupel.models.offline.chat import OfflineBaseline
