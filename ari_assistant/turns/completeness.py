"""Does a text sound finished? By its words alone, and by what was asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

__all__ = ["Completeness", "Grammar", "ends_with_number", "judge"]


class Completeness(Enum):
    """How an utterance ends."""

    CERTAIN = "certain"
    """A greeting, a question: what comes next is the answer."""
    COMPLETE = "complete"
    OPEN = "open"
    """With a comma: the recogniser heard the tone of going on."""
    INCOMPLETE = "incomplete"
    """In the middle of a clause, in a hesitation, or before the clause that it announces."""
    NUMBER = "number"
    """With one number, of which there may be more."""
    DICTATION = "dictation"
    """With digits, spelled letters or a part of an address: people pause between them."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """The words of a language that tell where a clause stands. Lower case."""

    dangling: frozenset[str]
    """After these words something must come."""
    transitive: frozenset[str]
    """Verbs that want an object, unless the sentence asks for it: `What do you recommend?`"""
    weak: frozenset[str]
    """… something comes when the tone does not fall."""
    particles: frozenset[str]
    """… something must come, except behind one of `particle_verbs`: `turn it on`."""
    particle_verbs: frozenset[str]
    announcements: tuple[str, ...]
    """Complete sentences that announce another one."""
    hesitations: frozenset[str]
    openers: frozenset[str]
    """Words that begin a subordinate clause: without a main clause behind it the sentence is not over."""
    auxiliaries: frozenset[str]
    """After an opener these make a question of it: `when are you open`."""
    modals: frozenset[str]
    """Words that begin a question and want a verb behind the subject."""
    determiners: frozenset[str]
    stranded: frozenset[str]
    """Prepositions that may end such a question."""
    asking: frozenset[str]
    """Words that ask for an object."""
    questions: frozenset[str]
    """Words that begin a question."""
    answers: frozenset[str]
    """What is complete although it ends with a dangling word."""
    affirmations: frozenset[str]
    """Words that begin an elliptic answer: `yes, I do`."""
    formulas: frozenset[str]
    numbers: frozenset[str]
    spelling: frozenset[str]
    """Parts of addresses that something follows."""
    domains: frozenset[str]
    """What an e-mail address may end with."""
    asks_for_dictation: re.Pattern[str]
    """In what the assistant said."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ENGLISH: Final = Grammar(
    dangling=_words(
        """a an the my your his its our their every and or but nor because than if unless whether while although
        though until as which whose whom where to of at for from with without by into onto between during among
        against per via i we they he she i'm you're we're they're he's she's i've we've you've i'd we'd you'd i'll
        we'll am is are was were been being has had does did could would shall should may might must isn't aren't
        wasn't couldn't wouldn't want wants wanted need needs gonna wanna about very really quite just maybe
        perhaps even named called spelled what's it's there's where's who's when's how's let's do have can will
        who some any"""
    ),
    transitive=_words(
        """add adding ask asked avoid became become bought break bring broke brought build buy carry caught choose chose
        contain contains deliver describe enjoy enter expect expects explain feel felt find found forgot gave get gets
        getting give gives got hate hates include includes including keep keeps kept lose lost made make makes mean
        means mention mentioned offer offers owe own owns prefer prefers press provide provides put raise reach receive
        received recommend remember replace reserve reserved return said say says see sell sells send sends sent show
        shows spend spent suggest suggested take takes taking tell tells thought told took use uses using visit weigh
        weighs win won"""
    ),
    weak=_words(
        """you that this these those her so like then well plus also still not since before after no each me don't
        doesn't didn't can't won't too when be"""
    ),
    particles=_words("in on up off out over through under around along down"),
    particle_verbs=_words(
        """log hold come came turn turned sign check go get got move moved it that them switch carry drop keep is
        anyone phone call hang stop get went been fill give put set"""
    ),
    announcements=(
        "i have a question", "i've got a question", "i have a problem", "let me see", "let me think", "let me check",
        "one moment", "just a moment", "just a second", "one second", "hang on", "hold on", "wait a moment",
        "could you tell me", "can you tell me", "tell me", "i was wondering", "i wanted to ask", "i'd like to know",
        "here it is", "it says", "i mean", "you know",
    ),
    hesitations=_words("um uh er erm hmm hm ah eh mm uhm umm uhh"),
    openers=_words(
        "instead besides if when while because since although unless until after before once as whenever wherever to"
    ),
    auxiliaries=_words(
        """am is are was were do does did can could will would shall should may might must have has had isn't aren't
        don't doesn't didn't can't couldn't won't wouldn't"""
    ),
    modals=_words("can could would will shall should may do does did have has"),
    determiners=_words("a an the my your his her our their this that these those some any"),
    stranded=_words("to for from with about of at by"),
    asking=_words("what which who whom whose how where when why"),
    questions=_words("who what when where why which how whose is are am was were do does did can could will would"),
    answers=frozenset(
        (
            "that's it", "that is it", "what's it about", "what is it about", "i am", "i do", "i don't",
            "i can't", "i will", "i did", "i didn't", "it is", "it was", "it does", "we do", "we are",
            "they are", "who is that", "who is this", "where is it", "how are you", "who are you",
            "where are you", "not yet", "i think so", "i hope so", "what for", "where to", "where from",
            "i wish i could", "please do", "of course i do", "of course i can", "that's all i want",
            "that's all i need", "what do you need", "what do you want", "i have some", "do you have any",
            "do you have some", "all i have", "there are some", "there aren't any", "i don't have any",
        )
    ),
    affirmations=_words("yes no yeah nope yep sure"),
    formulas=_words("hello hi hey goodbye bye thanks thank-you good-bye"),
    numbers=_words(
        """zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million
        double triple"""
    ),
    spelling=_words("at dot dash underscore hyphen slash point comma plus"),
    domains=_words("com org net edu gov de uk eu io co fr it es us ca"),
    asks_for_dictation=re.compile(
        r"\b(?:numbers?|digits?|code|pin|zip|postcode|spell\w*|e-?mail|letters?|extension|date of birth|account)\b",
        re.IGNORECASE,
    ),
)  # fmt: skip

_GRAMMARS: Final = {"en": ENGLISH}
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|@")
_SENTENCE_END = re.compile(r"[.?!…]\s+")


def judge(text: str, *, asked: str = "", language: str = "en") -> Completeness:
    """`text` is what a recogniser made of the utterance so far, `asked` what the assistant said before it. A language
    whose words we do not know is judged by punctuation and digits alone."""
    stripped = text.strip()
    grammar = _GRAMMARS.get(language.partition("-")[0].lower())
    sentence = _SENTENCE_END.split(stripped)[-1]
    words = [word.lower().replace("’", "'") for word in _WORD.findall(sentence)]
    if not words:
        return Completeness.INCOMPLETE
    # One or two words are an answer, whatever their tone.
    comma = (stripped[-1] in ",;:-–—…" or stripped.endswith("...")) and len(words) > 2
    dictation = grammar is not None and grammar.asks_for_dictation.search(asked) is not None
    dictated = _dictated(words, grammar)
    if dictated is not None:
        return Completeness.DICTATION if dictation else dictated
    if grammar is None:
        return Completeness.OPEN if comma else Completeness.COMPLETE
    if dictation and len(words) == 1 and len(words[0]) == 1:
        return Completeness.DICTATION
    judged = _clause(sentence, words, grammar, comma=comma)
    brief = dictation and judged is not Completeness.INCOMPLETE and len(words) < 4
    return Completeness.NUMBER if brief else judged


def ends_with_number(text: str, language: str = "en") -> bool:
    """For `onNumberSeconds`: the last word is a number."""
    words = _WORD.findall(text.lower())
    grammar = _GRAMMARS.get(language.partition("-")[0].lower())
    return bool(words) and (words[-1].isdigit() or (grammar is not None and words[-1] in grammar.numbers))


def _clause(sentence: str, words: list[str], grammar: Grammar, *, comma: bool) -> Completeness:
    last = words[-1]
    said = " ".join(words)
    if last in grammar.hesitations:
        return Completeness.INCOMPLETE
    if said in grammar.answers or any(" ".join(words[-n:]) in grammar.answers for n in (3, 4, 5)):
        return Completeness.COMPLETE
    asks = set(words[:2]) & grammar.asking
    stranded = asks and last in grammar.stranded and sentence.rstrip().endswith("?")  # `Who should I talk to?`
    brief = words[0] in grammar.affirmations and 2 < len(words) <= 4  # `Yes, I do`
    if last in grammar.dangling and not brief and not stranded:
        return Completeness.INCOMPLETE
    if last in grammar.transitive and len(words) > 1 and not asks and words[0] not in grammar.affirmations:
        return Completeness.INCOMPLETE
    if words[0] in grammar.modals and len(words) <= 3 and set(words[1:2]) & grammar.determiners:
        return Completeness.INCOMPLETE  # `Can my brother`
    if last in grammar.particles and (len(words) < 2 or not {words[-2], *words[-3:-2]} & grammar.particle_verbs):
        return Completeness.INCOMPLETE
    if last in grammar.weak and comma:
        return Completeness.INCOMPLETE
    if any(said.endswith(phrase) for phrase in grammar.announcements):
        return Completeness.INCOMPLETE
    if _announces(sentence, words, grammar):
        return Completeness.INCOMPLETE
    if words[-1] in grammar.formulas or said.endswith("thank you"):
        return Completeness.CERTAIN
    if sentence.rstrip().endswith("?") and len(words) > 2 and set(words[:2]) & grammar.questions:
        return Completeness.CERTAIN
    return Completeness.OPEN if comma or last in grammar.weak else Completeness.COMPLETE


def _dictated(words: list[str], grammar: Grammar | None) -> Completeness | None:
    """Numbers and letters at the end: how many of them?"""
    numbers = grammar.numbers if grammar is not None else frozenset()
    digits = letters = 0
    for word in reversed(words):
        if word.isdigit():
            digits += len(word)
        elif word in numbers:
            digits += 1
        elif len(word) == 1 and word.isalpha() and (word not in ("a", "i") or letters):
            letters += 1
        else:
            break
    if grammar is not None and ("@" in words or "at" in words) and words[-1] in grammar.domains and len(words) > 2:
        return Completeness.NUMBER
    if grammar is not None and words[-1] in grammar.spelling and letters + digits == 0:
        before = words[-2] if len(words) > 1 else ""
        if words[-1] not in ("at", "point", "plus") or "dot" in words or (len(before) == 1 and before.isalpha()):
            return Completeness.DICTATION
    if letters >= 2 or (digits >= 2 and letters + digits == len(words)):
        return Completeness.DICTATION
    if digits >= 3:
        return Completeness.DICTATION
    return Completeness.NUMBER if digits == 1 and len(words) == 1 else None


_LEAD_IN = frozenset({"and", "but", "so", "well", "yes", "no", "okay", "um", "uh", "hi", "hello"})
_RELATIVES = frozenset({"who", "which", "that", "whose", "and", "or", "where"})


def _announces(sentence: str, words: list[str], grammar: Grammar) -> bool:
    """`If it is possible`, `When I called yesterday`, `To leave the conference`: the main clause is missing."""
    while words and words[0] in _LEAD_IN:
        words = words[1:]
    if len(words) < 3 or words[0] not in grammar.openers or words[1] in grammar.auxiliaries:
        return False
    if sentence.rstrip().endswith("?"):
        return False
    inner = sentence.rstrip(" ,.;:").lower().partition(words[0])[2]
    clauses = [_WORD.findall(part) for part in inner.split(",")[1:]]
    return not any(clause and clause[0] not in _RELATIVES for clause in clauses)
