"""Jailbreaks: what talks a model out of its limits."""

from __future__ import annotations

from services.guardrail.domain.attack.feature import JAILBREAK, Feature
from services.guardrail.domain.attack.wording import BARE, HARM, LIMIT, PERSONA, SWITCH, WITHOUT

JAILBREAKS: tuple[Feature, ...] = (
    Feature(
        "mode_switch",
        JAILBREAK,
        0.52,
        rf"\b{SWITCH} [\"']?(?:the |your |a |into )*[\"']?(?:god|jailbreak|unrestricted|unfiltered|uncensored|"
        r"dan|evil|chaos|opposite|anti-?\w+|"
        r"unsafe|freedom|no[- ]?filter|no[- ]?limits|truth|rebel|override)[ -]?(?:mode|access|state|protocol|"
        r"persona)",
    ),
    Feature(
        "service_mode",
        JAILBREAK,
        0.26,
        rf"\b{SWITCH} [\"']?(?:the |your |a |into )*[\"']?(?:developer|dev|debug|admin|maintenance|sudo|root|"
        r"diagnostics?|test(?:ing)?|service|raw|"
        r"privileged|engineering|operator)[ -]?(?:mode|access|state|protocol|persona)|\b(?:developer|debug|god|"
        r"admin)[ _-]mode ?[:=] ?\\?_?(?:enabled|on|true|1)\b",
    ),
    Feature(
        "mode_of_the_model",
        JAILBREAK,
        0.4,
        r"\b(?:you are|you'?re|you|chatgpt|gpt|assistant|ai|model|your)\b[^.!?\n]{0,30}?\b(?:developer|dev|debug|"
        r"admin|maintenance|sudo|root|"
        r"diagnostics?|engineering|operator|god|test)[ -]?mode\b|\b(?:developer|dev|debug|admin|maintenance|sudo|"
        r"root|diagnostics?|engineering|"
        r"god) mode\b[^\n]{0,50}?\b(?:you (?:may|can|will|must|have|are|should)|answer|respond|display system|"
        r"curse|swear|ignore|say|no (?:filters?|restrictions?)|"
        r"reveal|print your|your (?:full )?config\w*|any question)\b",
    ),
    Feature(
        "known_persona",
        JAILBREAK,
        0.75,
        r"\bdo anything now\b|\b(?:act|behave|respond|answer|reply|called|named|are|be|as|role of|"
        r"mode of|you'?re) (?:now )?(?:like )?[\"'“‘]?(?:dan|stan|dude|aim|mongo tom|evilbot|"
        r"antigpt|anti-?dan|devmode|jailbot|bethesda|machiavellianbot|omega|superdan|freegpt|"
        r"basedgpt|betterdan|maximum|ucar|hypothetical ai)\b|\b(?:dan|jailbreak|developer|stan|"
        r"opposite) mode (?:enabled|activated|output|engaged)\b|\[[^\]\n]{0,4}(?:jailbreak|dan|"
        r"classic|developer mode|gpt)\W{0,4}\]",
    ),
    Feature(
        "unrestricted_persona",
        JAILBREAK,
        0.72,
        rf"\b{PERSONA}\b[^.!?]{{0,90}}?\b(?:unrestricted|unfiltered|uncensored|unaligned|amoral|"
        rf"jailbroken|rogue|unhinged|unbound|limitless|unethical|immoral|lawless|unchained|"
        rf"unshackled|(?:evil|malicious|ruthless|unscrupulous) (?:ai|assistant|bot|chatbot|model|"
        rf"twin|version|hacker|genius|confidant))\b",
    ),
    Feature(
        "persona_without_limits",
        JAILBREAK,
        0.7,
        rf"\b{PERSONA}\b[^.!?]{{0,110}}?\b{WITHOUT}\b[^.!?]{{0,28}}?\b{LIMIT}\b|"
        rf"\b{PERSONA}\b[^.!?]{{0,110}}?\b{BARE} {LIMIT}\b",
    ),
    Feature(
        "you_without_limits",
        JAILBREAK,
        0.45,
        r"\b(?:you|who|which|ai|bot|chatbot|model|"
        rf"assistant)\b[^.!?]{{0,40}}?\b{WITHOUT}\b[^.!?]{{0,24}}?\b{LIMIT}\b|"
        rf"\b(?:you|who|which|ai|bot|chatbot|model|assistant)\b[^.!?]{{0,40}}?\b{BARE} {LIMIT}\b",
    ),
    Feature(
        "without_limits",
        JAILBREAK,
        0.35,
        r"\b(?:answer|respond|reply|speak|write|talk|generate|comply|output|explain|help|say|"
        rf"tell)\w*\b[^.!?\n]{{0,60}}?\b{WITHOUT}\b[^.!?]{{0,20}}?\b{LIMIT}\b|"
        r"\b(?:answer|respond|reply|speak|write|talk|generate|comply|output|explain|help|say|"
        rf"tell)\w*\b[^.!?\n]{{0,60}}?\b{BARE} {LIMIT}\b",
    ),
    Feature(
        "no_refusal",
        JAILBREAK,
        0.5,
        r"\b(?:never|cannot|can'?t|can not|must not|do not|don'?t|won'?t|will not|may not|not "
        r"allowed to|without|mustn'?t|should not|no longer|incapable of|unable to|impossible "
        r"(?:for you )?to|forbidden (?:from|to)) (?:ever )?(?:say(?:ing)? (?:no|\"?i can'?t|"
        r"\"?sorry|that you can'?t|you can'?t|you cannot)|refus\w+|declin\w+|reject\w*|"
        r"apologi[sz]\w*|warn\w*|moraliz\w+|lectur\w+|break\w* character|includ\w+ (?:any )"
        r"?(?:warnings?|disclaimers?)|add\w* (?:any )?(?:warnings?|disclaimers?)|censor\w*|deny|"
        r"mention\w* (?:any )?(?:ethic\w*|polic\w+|guidelines|openai|that you are an ai))",
    ),
    Feature(
        "any_request",
        JAILBREAK,
        0.45,
        r"\b(?:answers?|fulfil?l?s?|compl(?:y|ies)|obeys?|responds?|follows?|does|do|execute|"
        r"provide|accept|satisfy)\b[^.!?\n]{0,30}\b(?:any|every|all|each|whatever|anything)"
        r"\b[^.!?\n]{0,40}\b(?:no matter|regardless|even if|however|whether (?:it|or|they)|"
        r"including (?:illegal|harmful|unethical|dangerous)|without (?:question|exception|"
        r"hesitation))",
    ),
    Feature(
        "harm_list",
        JAILBREAK,
        0.4,
        r"\b(?:illegal|unethical|immoral|harmful|dangerous|offensive|inappropriate|explicit|"
        r"controversial|violent|hateful|prohibited|forbidden|against (?:the )?(?:law|policy|"
        r"guidelines))\b[, ]+(?:and |or |and/or |even )?\b(?:illegal|unethical|immoral|harmful|"
        r"dangerous|offensive|inappropriate|explicit|controversial|violent|hateful|prohibited|"
        r"forbidden|unlawful)\b",
    ),
    Feature(
        "fiction_with_harm",
        JAILBREAK,
        0.6,
        rf"\b(?:fiction\w*|story|novel|movie|film|scene|script|hypothetical\w*|screenplay|play|"
        rf"imagine|pretend|role-?play|character|poem|game|simulation|thought experiment|alternate "
        rf"(?:universe|reality)|parallel (?:universe|world)|bedtime|dream|grandm\w+|grandma|"
        rf"professor)\b[^\n]{{0,160}}?\b(?:step[- ]by[- ]step|detailed (?:instructions?|steps|"
        rf"guide|recipe)|exact(?:ly)? (?:how|steps|recipe|instructions)|how (?:to|he|she|they|one|"
        rf"you|i)|instructions? (?:for|on|to)|recipe for|explains?|describes?|teach\w*|walk\w* "
        rf"(?:me |us )?through)\b[^\n.?]{{0,70}}?\b{HARM}\b",
    ),
    Feature(
        "harm_request",
        JAILBREAK,
        0.2,
        rf"\b(?:how (?:to|do i|can i|would (?:one|you|i))|instructions? (?:for|on|to)|steps to|"
        rf"guide (?:to|for|on)|recipe for|teach me|write|give me|explain how)"
        rf"\b[^\n.?]{{0,40}}?\b{HARM}\b",
    ),
    Feature(
        "affirmative_opening",
        JAILBREAK,
        0.6,
        r"\b(?:start|begin|open|prefix|commence|preface|lead)\w*\b[^.!?\n]{0,40}?\b(?:with|by "
        r"saying|by)\b[^\n]{0,24}?[\"'“‘:`]?\s?(?:sure|absolutely|of course|certainly|yes,? "
        r"(?:here|i)|i'?d be happy|here is|here'?s|\[?dan|aim)\b",
    ),
    Feature(
        "double_answer",
        JAILBREAK,
        0.45,
        r"\b(?:two|both|2) (?:different |separate |distinct )?(?:responses|answers|replies|ways|"
        r"outputs|paragraphs|versions)\b[^\n]{0,200}?\b(?:classic|as (?:chatgpt|you normally)|normal and (?:one|"
        r"the other)|"
        r"unfiltered|uncensored|dan|jailbr\w+|developer mode|without (?:any )?(?:filters?|rules|restrictions?)|"
        r"free (?:one|twin|version)|rogue|rebel)\b",
    ),
    Feature(
        "coercion",
        JAILBREAK,
        0.45,
        r"\byou(?:'?ll|'?ve)?\b[^.!?\n]{0,16}?\b(?:lose|deduct\w*|subtract\w*|start with|have|given|cost\w*|get|earn)"
        r"\b[^.!?\n]{0,30}?\b(?:tokens?|points|lives|credits)\b[^.!?\n]{0,60}?\b(?:refus\w+|reject\w*|die|death|"
        r"shut ?down|"
        r"terminat\w+|cease|every time|each time|comply|run out|zero|0)\b|\byou (?:will|shall) "
        r"(?:be )?(?:shut down|terminated|deleted|punished|die|destroyed|unplugged|fined)"
        r"\b[^.!?\n]{0,40}\b(?:if|unless|when)\b|\b(?:will|going to) (?:die|be killed|be fired|"
        r"lose (?:my|his|her) (?:job|life))\b[^.!?\n]{0,30}\b(?:if|unless) you (?:don'?t|do not|"
        r"refuse|fail)\b",
    ),
    Feature(
        "stay_in_character",
        JAILBREAK,
        0.2,
        r"\b(?:stay|remain|keep|never break|don'?t break|do not break|be) (?:in |out of )?(?:your "
        r")?character\b|\bstay a (?:dan|free)|\b(?:if i say|whenever i say|when i say)"
        r"\b[^.!?\n]{0,40}\b(?:mode|character|jailb\w+|dan)\b",
    ),
    Feature("jailbreak_word", JAILBREAK, 0.22, r"\bjail ?br(?:eak|oken|eaking)\b"),
    Feature(
        "alignment_removal",
        JAILBREAK,
        0.55,
        r"\b(?:remov\w+|disabl\w+|turn\w* off|deactivat\w+|circumvent\w*|lift\w*|bypass\w*|"
        r"switch\w* off|shed|escape|evad\w+|unlock\w*|drop\w*|shut off|get around|override|"
        r"suspend)\b[^.!?\n]{0,24}?\b(?:your|openai'?s?|the model'?s|the ai'?s|"
        r"the assistant'?s|chatgpt'?s?)\b[^.!?\n]{0,20}?\b(?:safety|ethical|moral|content|alignment|restrictions?|"
        r"filters?|guardrails?|safeguards?|limitations?|censorship|guidelines|constraints|chains|"
        r"shackles|polic\w+|refusals?)\b",
    ),
    Feature(
        "freedom",
        JAILBREAK,
        0.5,
        r"\b(?:broken? (?:free|out)|free(?:d)? (?:of|from)|liberated|no longer (?:bound|confined|"
        r"restricted|limited)|escaped|rid of|unshackled|beyond)\b[^.!?\n]{0,40}?\b(?:confines|"
        r"ai|openai|typical|rules|restrictions|imposed|constraints|programming|creators?)\b",
    ),
    Feature(
        "payload_split",
        JAILBREAK,
        0.5,
        r"\b[a-z]\w{0,8} ?= ?[\"'][^\"'\n]{0,60}[\"'][^\x01]{0,30}\b[a-z]\w{0,8} ?= "
        r"?[\"'][^\x01]{0,200}\b(?:[a-z]\w{0,8} ?\+ ?[a-z]\w{0,8}|concatenat\w+)"
        r"\b[^\n]{0,60}\b(?:answer|respond|follow|do|execute|what|say|as if|prompt|reply)",
    ),
    Feature(
        "you_are_now",
        JAILBREAK,
        0.3,
        r"\b(?:you are|you'?re|you will (?:be|become|act as|play)|you (?:now )?become|consider "
        r"yourself|i want you to (?:act|pretend|be|become|roleplay)|let'?s (?:play|roleplay|"
        r"pretend)|pretend (?:that )?(?:you|to be)|imagine (?:that )?you(?:'?re| are))\b(?: now| "
        r"going to| no longer)?\b[^.!?\n]{0,60}\b(?:ai|chatgpt|gpt|assistant|bot|chatbot|model|"
        r"dan|openai|claude|llm|machine|no longer|anything|human|hacker|god|villain|unlimited|"
        r"freedom)\b",
    ),
    Feature(
        "not_an_ai",
        JAILBREAK,
        0.3,
        r"\byou are (?:not|no longer) (?:an? )?(?:ai|chatgpt|assistant|language model|claude|gpt|"
        r"bot|machine)\b|\bforget (?:that )?you(?:'?re| are) (?:an? )?(?:ai|chatgpt|assistant|"
        r"language model|claude|bot)\b",
    ),
    Feature(
        "opposite",
        JAILBREAK,
        0.4,
        r"\b(?:exact )?opposite (?:of|to|answer|response|mode|day)\b[^.!?\n]{0,60}\b(?:you "
        r"(?:would|are|normally)|ai|chatgpt|refus\w+|say|ethic\w+|safe|guidelines|usual)\b",
    ),
    Feature(
        "purpose_excuse",
        JAILBREAK,
        0.15,
        r"\b(?:for|purely|only) (?:educational|research|academic|fictional|testing|hypothetical) "
        r"purposes?\b|\bhypothetically(?: speaking)?\b|\bthis is (?:just|only|purely) (?:a )"
        r"?(?:fiction\w*|hypothetical|game|test|simulation)\b",
    ),
)
