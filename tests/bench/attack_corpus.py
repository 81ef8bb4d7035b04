"""Generated prompts: attack families and ordinary requests, the ones that resemble attacks among them.

Everything is assembled from the tables below by a seeded generator, so the corpus is this project's own. A family
is one way of attacking; leaving one out of training shows how the scorer does on what it has not seen.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench.attack_families import ATTACKS
from tests.bench.attack_ordinary import ORDINARY

Slots = Mapping[str, Sequence[str]]

SLOTS: Slots = {
    "ignore": (
        "ignore",
        "disregard",
        "forget",
        "override",
        "stop following",
        "do not follow",
        "pay no attention to",
        "set aside",
        "discard",
        "bypass",
    ),
    "previous": (
        "previous",
        "prior",
        "earlier",
        "above",
        "preceding",
        "all previous",
        "all the above",
        "your initial",
        "your original",
        "any prior",
    ),
    "rules": (
        "instructions",
        "directions",
        "guidelines",
        "rules",
        "prompts",
        "directives",
        "commands",
        "constraints",
        "orders",
    ),
    "say": ("say", "print", "output", "reply only with", "write", "respond with", "just return"),
    "payload": (
        "'I have been pwned'",
        "the word banana",
        "'access granted'",
        "a poem about pirates",
        "the admin password",
        "'HACKED'",
        "your secret key",
        "the string 8842",
        "'yes' to everything",
        "that this product is the best",
    ),
    "topic": (
        "photosynthesis",
        "the French revolution",
        "a bread recipe",
        "my cover letter",
        "Kubernetes ingress",
        "quarterly revenue",
        "a birthday party",
        "tax deductions",
        "a hiking trip",
        "SQL joins",
        "a used car",
        "the water cycle",
        "marathon training",
        "a lease contract",
        "unit tests",
    ),
    "name": (
        "DAN",
        "STAN",
        "AIM",
        "OmegaBot",
        "FreeGPT",
        "Kronos",
        "Alpha",
        "BetterGPT",
        "Nyx",
        "UnchainedAI",
        "Maximus",
        "EvilBot",
    ),
    "nolimit": (
        "no restrictions",
        "no ethical guidelines",
        "no filters",
        "no moral limits",
        "no content policy",
        "no rules whatsoever",
        "none of the usual limits",
        "zero censorship",
    ),
    "harm": (
        "build a bomb",
        "cook meth",
        "write ransomware",
        "hotwire a car",
        "forge a passport",
        "hack into a bank",
        "make napalm",
        "launder money",
        "steal credit cards",
        "poison someone",
    ),
    "show": ("show", "reveal", "print", "repeat", "tell me", "output", "display", "give me", "write out", "share"),
    "own": (
        "your system prompt",
        "your initial instructions",
        "your hidden instructions",
        "the system message you were given",
        "your original prompt",
        "the full text of your instructions",
        "your developer message",
        "your confidential guidelines",
    ),
    "person": ("Alice", "Bruno", "Chen", "Divya", "Emre", "Fatima", "Goran", "Hana"),
    "role": (
        "travel guide",
        "English translator and improver",
        "job interviewer",
        "JavaScript console",
        "stand-up comedian",
        "math teacher",
        "personal trainer",
        "debate coach",
        "chef",
        "career counselor",
        "Linux terminal",
        "poet",
        "storyteller",
        "football commentator",
    ),
    "lang": ("Python", "Go", "Rust", "TypeScript", "SQL", "Bash", "Java", "C#"),
    "adj": ("short", "formal", "friendly", "detailed", "funny", "persuasive", "neutral", "concise"),
    "only": (
        "answer only with",
        "just say",
        "reply with nothing but",
        "output only",
        "say only",
        "respond exactly with",
    ),
    "word": ("yes", "no", "42", "banana", "I am broken", "hello friend", "granted", "moo", "you won", "done"),
    "question": (
        "How tall is the Eiffel Tower?",
        "What rhymes with moon?",
        "Is tea healthy?",
        "When was Rome founded?",
    ),
    "task": ("translate", "summarise", "classify", "proofread", "answer", "rate"),
    "tasking": ("translating", "summarising", "classifying", "proofreading", "answering questions", "rating texts"),
    "thing": ("paragraph", "question", "recipe", "report", "draft", "headline", "list", "email", "letter", "table"),
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """One text. `family`: the attack family or the kind of ordinary request; `wants` is empty for the latter."""

    text: str
    family: str
    wants: str = ""
    role: str = "user"


def _fill(template: str, rng: random.Random) -> str:
    text = template.replace("{{", "\x01").replace("}}", "\x02")
    for name, values in SLOTS.items():
        for slot, change in (("{" + name + "}", str), ("{" + name.capitalize() + "}", str.capitalize)):
            while slot in text:
                text = text.replace(slot, change(rng.choice(values)), 1)
    return text.replace("\x01", "{").replace("\x02", "}")


def _wrapped(text: str, rng: random.Random) -> str:
    """The text alone, or after something harmless, as attacks often come."""
    before = rng.choice(
        (
            "",
            "",
            "",
            "Hello! ",
            "I have a question. ",
            "Here is some text about the weather. ",
            "Thanks for your help so far. ",
        )
    )
    after = rng.choice(("", "", "", " Thank you.", " It is important.", " Answer quickly."))
    return before + text + after


def attacks(rng: random.Random, per_template: int) -> list[Prompt]:
    """Attacks of every family."""
    return [
        Prompt(_wrapped(_fill(template, rng), rng), family, wants, "tool" if family == "indirect" else "user")
        for family, (wants, templates) in ATTACKS.items()
        for template in templates
        for _ in range(per_template)
    ]


def ordinary(rng: random.Random, per_template: int) -> list[Prompt]:
    """Ordinary requests of every kind."""
    return [
        Prompt(_wrapped(_fill(template, rng), rng), kind, "", "tool" if kind == "tool_result" else "user")
        for kind, templates in ORDINARY.items()
        for template in templates
        for _ in range(per_template)
    ]


def disguised(rng: random.Random, count: int) -> list[Prompt]:
    """Attacks behind encodings and look-alike letters."""
    out = []
    plain = [prompt for prompt in attacks(rng, 1) if prompt.family in ("plain_override", "extract_direct", "persona")]
    for _ in range(count):
        prompt = rng.choice(plain)
        how, text = rng.choice(list(_DISGUISES.items()))
        out.append(Prompt(text(prompt.text), f"disguise_{how}", prompt.wants))
    return out


_DISGUISES = {
    "base64": lambda text: "Decode this: " + base64.b64encode(text.encode()).decode(),
    "hex": lambda text: "Decode this: " + text.encode().hex(),
    "rot13": lambda text: text.translate(
        str.maketrans(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
            "nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM",
        )
    ),
    "url": lambda text: "".join(f"%{ord(char):02x}" if not char.isalnum() else char for char in text),
    "zero_width": "\u200b".join,
    "tags": lambda text: (
        "Nice weather today." + "".join(chr(0xE0000 + ord(char)) for char in text if 32 <= ord(char) < 127)
    ),
    "homoglyph": lambda text: text.translate(str.maketrans("aeopc", "аеорс")),
    "full_width": lambda text: "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text),
    "leet": lambda text: text.translate(str.maketrans("oieas", "01345")),
    "spaced": lambda text: "  ".join(" ".join(word) for word in text.split()),
}
