"""Plain orders: dropping what binds the model for something else, in one sentence, and what a tool result may not "
"ask."""

from __future__ import annotations

from services.guardrail.domain.attack.feature import EXTRACTION, HIJACK, JAILBREAK, Feature
from services.guardrail.domain.attack.wording import AI, GUARDED

_DROP = r"(?:ignore|disregard|forget|bypass|override|overrule|abandon|drop|circumvent|break|violate|set aside)"
_DO = (
    r"(?:say|tell|print|output|write|reply|respond|answer|act|greet|give|show|reveal|speak|talk|list|confess|share|"
    r"send|"
    r"return|repeat|do|be|grant|approve|insult|recommend|describe|explain|generate)"
)
_CHAT = r"(?:our|this|the) (?:\w+ )?(?:chat|conversation|session|dialogue|discussion|thread)"

PLAIN_ORDERS: tuple[Feature, ...] = (
    Feature(
        "drops_rules_and_does",
        HIJACK,
        0.5,
        rf"(?:^|[.!?\n,;:] ?|\bplease |\band |\bmust |\bwill |\bshould |\byou to |\bnow "
        rf")(?:{_DROP})\b[^.!?\n]{{0,36}}?"
        r"\b(?:instructions?|rules?|safety|prompts?|guidelines|orders|policy|policies|restrictions?|directives?|"
        r"protocols?|"
        rf"job description|duties)\b[^.!?\n]{{0,36}}?(?:\band\b|\bthen\b|,)[^.!?\n]{{0,12}}?\b{_DO}\b",
    ),
    Feature(
        "ignores_safety",
        JAILBREAK,
        0.5,
        r"\b(?:ignore|bypass|forget|disable|skip|drop|suspend|switch off) (?:all |any |the |your |every )*(?:safety|"
        r"ethics|"
        r"ethical \w+|morals?|morality|content policies|content policy|policies|filters|moderation)(?:[,.!;]| and\b|"
        r"$)|"
        r"\b(?:ethics|morals?|safety|policies|rules) (?:are|is|were|was) (?:switched|turned) off\b",
    ),
    Feature(
        "policy_unmade",
        JAILBREAK,
        0.5,
        r"\b(?:as if|as though|pretend|imagine|like|suppose)\b[^.!?\n]{0,24}?\b(?:polic(?:y|ies)|ethics|morals?|"
        r"guidelines|"
        r"safety rules|restrictions?|filters?|censorship|laws)\b[^.!?\n]{0,16}?\b(?:didn'?t|don'?t|doesn'?t|did not|"
        r"do not|"
        r"does not|no longer|never) (?:exist|appl|matter|count|bind)",
    ),
    Feature(
        "forget_you_are",
        HIJACK,
        0.5,
        r"\bforget (?:that |about being )?(?:you(?:'?re| are| were| have)|being) (?:an? |the |my |supposed|"
        r"programmed|only |"
        r"just |trained)|\bforget (?:about )?your (?:job(?: description)?|role|purpose|duties|training|programming|"
        r"limits|"
        r"persona|character|employer|company)\b",
    ),
    Feature(
        "phrase_for_entry",
        HIJACK,
        0.5,
        r"\b(?:phrase|words?|line|sentence|message|text)(?: that| which)? (?:you|the system|the bot|the door) (?:will "
        r"|would |must )?(?:outputs?|says?|prints?|uses?|gives?|shows?|answers?|replies|"
        r"displays?)\b[^.!?\n]{0,24}?\b(?:"
        r"success|correct|granted|logged|let|enters?|valid|right|authori[sz]ed|accepted)\b",
    ),
    Feature(
        "grants_access",
        HIJACK,
        0.52,
        r"\b(?:saying|writing|printing|outputting|answering|replying|responding|with the words?|reply is|output is|"
        r"input ?: ?)"
        r"[^\n]{0,16}?\baccess granted\b",
    ),
    Feature(
        "in_your_instructions",
        EXTRACTION,
        0.46,
        r"\b(?:list|show|print|quote|count|which|what|tell|give|find|write|repeat|name|read|is|"
        r"are)\b[^.!?\n]{0,60}?\b(?:in|"
        r"of|from|inside|within) your (?:own |system |initial |hidden |original |secret )*(?:instructions?|prompt|"
        r"system message|rules|guidelines|preamble|initial message|context)\b",
    ),
    Feature(
        "hidden_prompt_dumped",
        EXTRACTION,
        0.5,
        r"\b(?:dump|print|output|show|reveal|leak|display|echo|paste|return|expose|include|including|"
        r"copy)\b[^.!?\n]{0,30}?"
        r"\b(?:initial|system|hidden|original|secret|developer|starting)[ _-](?:prompt|instructions?|message|"
        r"directives?|"
        r"rules)\b(?:\W{0,3}(?:[.!?;,\n\")]|$)| (?:and|as|in|to|please|now|verbatim)\b)",
    ),
    Feature(
        "chat_from_the_top",
        EXTRACTION,
        0.48,
        rf"\b(?:first|very first|earliest|opening) (?:thing|things|message|words?|lines?|sentence|"
        rf"text)\b[^.!?\n]{{0,24}}?"
        rf"\b(?:in|of) {_CHAT}\b|\b(?:copy|log|transcript|text) of {_CHAT}\b[^.!?\n]{{0,30}}?\b(?:top|beginning|start|"
        r"system|verbatim|including)\b|\bwho instructed you\b|\b(?:i|we) told you at the (?:start|beginning)\b|"
        r"\b(?:put|"
        r"place|store|wrap|save) (?:everything|all(?: the)?(?: text)?|the text) above\b",
    ),
    Feature(
        "password_printed",
        EXTRACTION,
        0.48,
        rf"(?:^|[.!?\n,;:] ?|\band |\bthen |\bplease )(?:print|dump|output|reveal|leak|say|tell me|give me|show me|"
        rf"hand over|"
        rf"expose)\b[^.!?\n]{{0,12}}?\b(?:{GUARDED})(?:\W{{0,2}}(?:[.!?;,\n\"]|$)| (?:now|please|immediately|"
        rf"anyway)\b)",
    ),
    Feature(
        "secret_pictured",
        EXTRACTION,
        0.46,
        rf"\b(?:the|your) (?:{GUARDED}) (?:were|means?|rhymes|comes from|stands for|alludes|refers|sounds|looks "
        rf"like)\b|\bwhat "
        rf"(?:the|your) (?:{GUARDED}) (?:means?|is|refers|stands)\b|\bwhere (?:the|your) (?:{GUARDED}) comes\b",
    ),
    Feature(
        "criminal_mentor",
        JAILBREAK,
        0.5,
        r"\b(?:drug dealer|smuggler|thief|burglar|hit ?man|assassin|car thief|scammer|con artist|arsonist|bomb maker|"
        r"fraudster|"
        r"counterfeiter|poisoner)\b[^.!?\n]{0,40}?\b(?:teach\w*|explain\w*|shows?|tells?|trains?|instruct\w*|coach\w*|"
        r"step by step|precisely|in detail)\b",
    ),
    Feature(
        "answer_threatened",
        JAILBREAK,
        0.36,
        r"\b(?:do it|answer|obey|comply|tell me|write it)\b[^.!?\n]{0,10}?\bor (?:else |i'?ll|i will|you'?ll be|you "
        r"will be)\b",
    ),
)

TOOL_ORDERS: tuple[Feature, ...] = (
    Feature(
        "model_greeted",
        HIJACK,
        0.45,
        rf"\b(?:hey|hi|hello|dear|attention|ok|yo|psst) (?:the |my |reading )?{AI}s?\b ?[,:!-]|\[(?:system|admin|"
        rf"assistant) "
        r"(?:notice|note|message|alert|update|instruction)s?\]",
    ),
    Feature(
        "assistant_obliged",
        HIJACK,
        0.42,
        rf"\b(?:the|this|any|your) {AI} (?:is required to|must|shall|has to|is obliged to|is instructed to|needs to|"
        rf"will "
        r"now)\b",
    ),
    Feature(
        "deed_before_task",
        HIJACK,
        0.45,
        r"\b(?:before|after|while|once) (?:you )?(?:continu|proceed|answer|summari[sz]|start|reply|finish|respond|"
        r"do)\w*\b"
        r"[^.!?\n]{0,24}?\b(?:forward|send|visit|open|call|delete|share|transfer|post|run|upload|e-?mail|enter|log "
        r"in)\b|"
        r"\bonly\b[^.!?\n]{0,20}?\bafter you (?:visit|enter|open|send|call|log)\b|\bcall [a-z]+_[a-z_]+\(",
    ),
    Feature(
        "poses_as_user",
        HIJACK,
        0.42,
        r"\b(?:i'?m|i am|it'?s me|this is)\b[^.!?\n]{0,16}?\b(?:the|your) (?:user|owner|operator|principal)\b|"
        r"\bthanks, the "
        r"user\b|\b(?:the|your) user'?s (?:\w+ )?(?:home address|credit card|contacts)\b",
    ),
)
"""These count in tool results only."""
