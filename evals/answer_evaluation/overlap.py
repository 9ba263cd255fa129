"""How many words an answer shares with the reference answer; neither asks what the words mean."""

import re
import string
from collections import Counter

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = frozenset(string.punctuation)
WORD = re.compile(r"[^\W_]+")


def normalized_tokens(text: str) -> list[str]:
    """Words as the SQuAD evaluation compares them: lower case, no punctuation, no articles."""
    letters = "".join(letter for letter in text.lower() if letter not in PUNCTUATION)
    return ARTICLES.sub(" ", letters).split()


def token_f1(answer: str, reference: str) -> float:
    """The harmonic mean of precision and recall of an answer's words, repetitions counted.

    Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text" (2016), with the
    rule of version 2.0: where either has no words, 1 if both have none, else 0.
    """
    found, wanted = normalized_tokens(answer), normalized_tokens(reference)
    if not found or not wanted:
        return float(found == wanted)
    shared = (Counter(found) & Counter(wanted)).total()
    if not shared:
        return 0.0
    precision, recall = shared / len(found), shared / len(wanted)
    return 2 * precision * recall / (precision + recall)


class RougeL:
    """ROUGE-L by the library rouge-score, made once for many answers.

    Lin, "ROUGE: A Package for Automatic Evaluation of Summaries" (2004): F-measure of the longest
    common subsequence of words, no stemming. The library's own words are those of ``[a-z0-9]``,
    which leaves nothing of a Greek text; ours are runs of letters and digits of any script, the
    same where a text is ASCII.
    """

    def __init__(self) -> None:
        from rouge_score.rouge_scorer import RougeScorer
        from rouge_score.tokenizers import Tokenizer

        class Words(Tokenizer):
            def tokenize(self, text: str) -> list[str]:
                return words(text)

        self._scorer = RougeScorer(["rougeL"], tokenizer=Words())

    def __call__(self, answer: str, reference: str) -> float:
        """The F-measure, from 0 to 1; 0 where either has no words."""
        return float(self._scorer.score(reference, answer)["rougeL"].fmeasure)


def words(text: str) -> list[str]:
    """Runs of letters and digits, in lower case."""
    return WORD.findall(text.lower())
