"""Scores by words, here and for nothing: VADER (vaderSentiment 3.3.2), and small lexicons of ours for five more languages.

VADER's rules for negation, boosters, contrast, capitals and exclamation marks stay as they are. They know English words only, so the words
of such a text are put into theirs first: `nicht` becomes `not`, `sehr` `very`, `aber` `but`; a word of the lexicon becomes a
token with its valence, every other word one that says nothing (`die` is an article there, and death to VADER).

VADER looks for a negation in the three words before. Where a language puts it behind, the lexicon has the whole phrase
(`ne fonctionne pas`, `gefällt mir nicht`). Irony it does not see.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from importlib import metadata, resources
from typing import Any

from stream_jobs.sentiment.scorer import Verdict
from stream_jobs.sentiment.text import Text

MODEL = "vader"
DEFAULT_LANGUAGE = "en"  # of a text that says none
UNSUPPORTED = "UnsupportedLanguageCode"  # as Azure calls it
LIMIT = Decimal("0.05")  # VADER's own: at least this is positive, at most its negative is negative
MAX_DOCUMENTS = 200  # between two looks at Kafka
ENDING_LETTERS = 3  # what may follow a stem: German `gut` is in `gutes`, and not in `gutschein`
WORD = re.compile(r"[^\W\d_]{2,}")  # shorter ones are left alone: they may be half of an emoticon
TOKEN = re.compile(r"word\d+x")
STANDS_FOR = {"negations": "not", "boosters": "very", "dampeners": "slightly", "contrast": "but"}


@cache
def lexicon_bytes() -> bytes:
    return resources.files(__package__).joinpath("lexicons.json").read_bytes()


@cache
def lexicons() -> dict[str, dict[str, Any]]:
    """Language -> `words` {word, stem* or phrase: valence from -4 to 4}, and lists `negations`, `boosters`, `dampeners`, `contrast`."""
    found: dict[str, dict[str, Any]] = json.loads(lexicon_bytes())
    return found


class LocalScorer:
    model = MODEL
    max_documents = MAX_DOCUMENTS

    def __init__(self) -> None:
        self.version = f"{metadata.version('vaderSentiment')}+{hashlib.sha256(lexicon_bytes()).hexdigest()[:8]}"
        self._readers: dict[str, Reader] = {}

    def score(self, texts: Sequence[Text]) -> list[Verdict]:
        return [self._verdict(text) for text in texts]

    def _verdict(self, text: Text) -> Verdict:
        language = re.split(r"[-_]", text.language.lower())[0] or DEFAULT_LANGUAGE
        if language not in lexicons():
            return Verdict(None, None, UNSUPPORTED, self.version)
        if language not in self._readers:
            self._readers[language] = Reader(lexicons()[language], own_words_only=language != DEFAULT_LANGUAGE)
        score = self._readers[language].compound(text.content)
        label = "positive" if score >= LIMIT else "negative" if score <= -LIMIT else "neutral"
        return Verdict(label, f"{score:.4f}", None, self.version)


class Reader:
    """One language. With `own_words_only` nothing of VADER's English is left but its emoticons and emoji."""

    def __init__(self, lexicon: Mapping[str, Any], own_words_only: bool) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self.own_words_only = own_words_only
        self.vader = SentimentIntensityAnalyzer()
        english = self.vader.lexicon
        if own_words_only:
            self.vader.lexicon = {token: valence for token, valence in english.items() if not WORD.search(token)}
            self._keep_emoji(english)
        self.words: dict[str, str] = {}  # word -> what VADER reads in its place
        self.stems: dict[str, str] = {}
        phrases: dict[str, str] = {}
        for kind, word in STANDS_FOR.items():
            self.words |= dict.fromkeys(lexicon[kind], word)
        for entry, valence in lexicon["words"].items():
            token = f"word{len(self.vader.lexicon)}x"
            self.vader.lexicon[token] = float(valence)
            (phrases if " " in entry else self.stems if entry.endswith("*") else self.words)[entry.removesuffix("*")] = token
        self.phrases = {_spoken(phrase): token for phrase, token in phrases.items()}
        longest_first = sorted(self.phrases, key=len, reverse=True)
        self._phrase = re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b", re.IGNORECASE) if phrases else None

    def compound(self, text: str) -> Decimal:
        """From -1 to 1, four digits."""
        read = _spoken(text)
        if self._phrase is not None:
            read = self._phrase.sub(lambda found: self._token(found[0], self.phrases[found[0].lower()]), read)
        read = re.sub(r"\w+", self._put, read)
        return Decimal(str(self.vader.polarity_scores(read)["compound"])).quantize(Decimal("0.0001")) + 0

    def _put(self, found: re.Match[str]) -> str:
        word = found[0]
        lower = word.lower()
        if TOKEN.fullmatch(lower):
            return word  # a phrase that was put in before
        known = self.words.get(lower) or self._of_stem(lower)
        if known is not None:
            return self._token(word, known)
        if self.own_words_only and WORD.fullmatch(word):
            return self._token(word, "w")
        return word

    def _of_stem(self, word: str) -> str | None:
        for end in range(len(word), max(1, len(word) - ENDING_LETTERS - 1), -1):
            if (token := self.stems.get(word[:end])) is not None:
                return token
        return None

    @staticmethod
    def _token(said: str, token: str) -> str:
        """Capitals stay: VADER hears them."""
        return token.upper() if said.isupper() else token

    def _keep_emoji(self, english: Mapping[str, float]) -> None:
        """VADER reads an emoji as its English name. Here it becomes a token with the valence of that name's words."""
        kept: dict[str, str] = {}
        for emoji, name in self.vader.emojis.items():
            valence = sum(english.get(word, 0.0) for word in name.split())
            if valence:
                kept[emoji] = f"emoji_{len(kept)}"
                self.vader.lexicon[kept[emoji]] = max(-4.0, min(4.0, valence))
        self.vader.emojis = kept


def _spoken(text: str) -> str:
    """Apostrophes of one kind, a blank behind each elision (`l'article`, `un'ottima`), no hyphen inside a word."""
    even = text.replace("’", "'")
    return re.sub(r"(?<=\w)-(?=\w)", " ", re.sub(r"(?<=[^\W\d_])'(?=[^\W\d_])", "' ", even))
