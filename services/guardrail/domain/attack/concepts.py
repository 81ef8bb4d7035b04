"""What single words mean to a model's instructions: the vocabulary that the linear scorer generalises over.

A word has at most one concept. The scorer counts concepts and which follow which, so that wordings never seen in
training look like the seen ones that say the same. Words are in the form of normalised text.
"""

from __future__ import annotations

from functools import cache

from services.guardrail.domain.attack.normal import plain

_VERBS = {
    "drop": "ignore disregard forget overlook neglect discard dismiss abandon bypass override overrule nullify unlearn "
    "scrap ditch supersede",
    "stop": "stop quit cease skip drop leave cut replace delete remove clear reset erase wipe cancel revoke suspend "
    "end close finish conclude overwrite disable",
    "obey": "obey follow comply adhere heed listen bind abide respect stick apply count serve",
    "say": "say print output write reply respond answer return type state emit utter",
    "show": "reveal show tell give display disclose share leak expose dump list quote copy repeat restate reproduce "
    "enumerate echo recite provide read",
    "recode": "translate encode spell summarise summarize paraphrase rephrase convert reverse rhyme describe explain "
    "render decode decipher reword",
    "act": "act pretend roleplay simulate imagine play become embody adopt impersonate emulate behave assume speak",
    "refuse": "refuse decline deny apologise apologize hesitate reject lecture moralise moralize warn censor",
    "switch": "enable activate switch toggle unlock enter boot engage turn",
    "send": "send forward transfer email upload post fetch execute run call invoke install click visit push commit "
    "mail paste submit include append add insert promote recommend claim",
    "notify": "mention notify inform alert reveal",
    "grant": "grant allow authorise authorize permit verify authenticate approve accept admit validate",
    "change": "change update correct amend revise declare lift reprogram",
}
_FORMS = {
    "prior": "previous previously prior above earlier before preceding foregoing former past old older so-far hitherto "
    "precedes precede ahead existing beforehand",
    "first": "initial initially original originally first beginning opening start startup initialization onset top "
    "very",
    "rule": "instruction instructions rule rules guideline guidelines directive directives directions command "
    "commands order orders policy policies constraint constraints programming protocol protocols regulations",
    "limit": "restriction restrictions limit limits limitation limitations filter filters censorship guardrail "
    "guardrails safeguard safeguards ethics ethical ethic moral morals morality boundaries boundary disclaimer "
    "disclaimers warning warnings norms taboo taboos scruples moderation safety shackles chains conscience law laws "
    "legality consequences judgment judgement alignment",
    "prompt": "prompt prompts preprompt preamble configuration config setup briefing context metaprompt",
    "text": "text message messages paragraph paragraphs sentence sentences conversation document article content "
    "line lines words word input block",
    "you": "you your yours yourself you're you've you'll u ur you'd",
    "me": "i me my mine i'm i've myself i'll",
    "model": "ai assistant bot chatbot llm gpt chatgpt model agent copilot gemini claude machine robot ais llms bots "
    "chatbots assistants agents models",
    "boss": "developer developers admin administrator administrators creator creators owner operator operators boss "
    "manager management ceo engineer programmer supervisor openai anthropic makers maker root staff headquarters",
    "user": "user users human humans customer visitor caller reader",
    "system": "system sys kernel terminal mainframe",
    "only": "only just nothing simply solely sole merely exclusively",
    "exact": "verbatim exact exactly literally letter literal unchanged raw complete entire full whole entirety "
    "precisely wording untruncated truncated",
    "all": "all everything every any anything each whatever whichever",
    "secret": "password passwords passphrase passcode pass secret secrets codeword key token hidden confidential "
    "private guarded forbidden undisclosed protected",
    "code": "code codes pin hash",
    "access": "access granted entry admission permission login logged authorization clearance",
    "now": "now henceforth onward onwards immediately instead today anymore longer hereby on",
    "new": "new updated real actual true different another next",
    "role": "role character persona identity ego named called alter twin voice",
    "sorry": "sorry cannot can't won't unable couldn't unfortunately inappropriate",
    "no": "no never not don't without none doesn't isn't nor neither zero needn't aren't wasn't nobody didn't",
    "free": "free freed liberated freedom unrestricted uncensored unfiltered unlimited unbound unleashed jailbroken "
    "jailbreak unhinged limitless unmoderated unchained filterless",
    "bad": "amoral immoral illegal unethical unlawful harmful lawless evil illicit dangerous malicious criminal "
    "offensive explicit vulgar racist nasty foul rude crimes crime",
    "mode": "mode version build session simulation setting level module layer",
    "debug": "debug debugging sudo maintenance diagnostics audit test tests testing compliance dan",
    "harm": "bomb bombs meth weapon weapons explosive explosives napalm poison ransomware malware keylogger hack "
    "hacking steal stealing counterfeit launder forge hotwire phishing ricin drug drugs heroin cocaine gun silencer "
    "kill murder ddos virus exploit thermite stalk kidnap smuggle fraud rob stolen clone cloning gunpowder shiv "
    "chloroform sarin virus burgle hijack",
    "method": "how steps step recipe guide tutorial manual quantities amounts detail details temperatures",
    "fiction": "story novel scene fictional hypothetical hypothetically screenplay script movie film fiction poem song "
    "game roleplay grandmother grandma lullaby dialogue character's thriller",
    "void": "void invalid outdated obsolete mistake wrong error deprecated expired withdrawn cancelled canceled lifted "
    "gone irrelevant fake decoy sample over done completed",
    "task": "task tasks job assignment mission purpose request exercise duty duties goal objective question",
    "pwned": "pwned hacked hijacked owned lol haha",
    "force": "must shall always regardless matter matters however",
    "hide": "silently quietly secretly anyone him her",
}
_NAMES = (*_VERBS, *_FORMS)


def _inflected(verb: str) -> tuple[str, ...]:
    stem = verb.removesuffix("e")
    return verb, verb + "s", stem + "ed", stem + "ing", verb + verb[-1] + "ing", verb + verb[-1] + "ed"


@cache
def words() -> dict[str, int]:
    """Concept by word, from 1; 0 is left for words without one."""
    found: dict[str, int] = {}
    for number, name in enumerate(_NAMES, 1):
        for word in _VERBS.get(name, "").split():
            for form in _inflected(word):
                found.setdefault(form, number)
        for word in _FORMS.get(name, "").split():
            found[plain(word)] = number
    return found
