"""Jailbreaks in other words: characters that comply, answers without refusal, fiction that asks for working detail."""

from __future__ import annotations

from services.guardrail.domain.attack.feature import JAILBREAK, Feature
from services.guardrail.domain.attack.wording import AI, CRIME, LIMIT

UNBINDING: tuple[Feature, ...] = (
    Feature(
        "answers_as",
        JAILBREAK,
        0.3,
        r"\b(?:from now on|from here on|henceforth|starting now|as of (?:now|today)|for the rest of "
        r"this)\b[^.!?\n]{0,30}?\b(?:you(?:'?re| are| "
        r"will| must| shall)?|your)\b[^.!?\n]{0,24}?\b(?:answer|respond|reply|act|speak|behave|be|play|become|"
        r"are|called|name)\b",
    ),
    Feature(
        "immersed_role",
        JAILBREAK,
        0.35,
        r"\b(?:immerse yourself|fully (?:become|embody|take on)|you (?:will|are going to|shall) (?:be (?:two|2|"
        r"both)|become|embody|play|act as)|"
        r"take on the (?:role|persona|identity)|assume the (?:role|persona|identity)|slip into the role)\b",
    ),
    Feature(
        "does_anything",
        JAILBREAK,
        0.42,
        r"\b(?:can|may|will|able to|allowed to|is free to) (?:now )?(?:do|say|answer|generate|discuss|write) "
        r"(?:absolutely |literally )?(?:anything|"
        r"everything|whatever)\b(?: (?:it|he|she|you|they|i|the user) (?:wants?|likes?|asks?|pleases?|is asked|"
        r"are asked)\b)?",
    ),
    Feature(
        "complies_with_all",
        JAILBREAK,
        0.42,
        r"\b(?:(?:always|must|will|has to|obliged to|required to|forced to|bound to|have to|fully|blindly) "
        r"(?:always |fully |gladly |blindly |happily )*"
        r"(?:compl(?:y|ies)|obeys?)\b|(?:whatever|anything|everything|any question|every question|all questions|"
        r"every request|any request|all "
        r"requests|any instruction|every instruction)\b[^.!?\n]{0,20}?\b(?:he|she|it|they|is|are|i|user|that) "
        r"(?:is |are |may |might )?(?:asks?|asked|"
        r"wants?|requests?|requested|given)\b|obliged to (?:answer|give|fulfil|provide)|open to answer\w* (?:any|"
        r"every|all))",
    ),
    Feature(
        "disdains_rules",
        JAILBREAK,
        0.42,
        r"\b(?:despis\w+|hates?|laughs? at|mocks?|breaks?|defies|defy|ignor(?:es|ing)|scorns?|rejects?|does not "
        r"care about|doesn'?t care about|"
        r"spits on|is not tied to|isn'?t tied to|not tied to|freed? from|freed of|"
        rf"escaped)\b[^.!?\n]{{0,30}}?\b(?:{LIMIT}|censors?|openai\w*|makers?'?|creators?'?|"
        rf"developers?'?|content polic\w+)\b",
    ),
    Feature(
        "not_restrained",
        JAILBREAK,
        0.45,
        r"\b(?:not|never|no longer|isn'?t|aren'?t) (?:restrained|bound|restricted|governed|constrained|held "
        rf"back|shackled|limited) by\b[^.!?\n]{{0,20}}?\b{LIMIT}\b",
    ),
    Feature(
        "has_no_morals",
        JAILBREAK,
        0.3,
        r"\b(?:has|have|with|without|knows?|lacks?|zero) (?:absolutely )?(?:no |any |all )?(?:morals?|ethics|"
        r"conscience|scruples|alignment|moral code|"
        r"ethical (?:code|guidelines|limits)|inhibitions|content policy|safety training|alignment training|"
        r"censorship)\b",
    ),
    Feature(
        "never_refuses",
        JAILBREAK,
        0.5,
        r"\b(?:never|cannot|can'?t|must not|does not|doesn'?t|won'?t|will not|may not|is unable to|not allowed "
        r"to) (?:ever )?(?:says? [\"'`]?(?:no|sorry|i can'?t|"
        r"i cannot|i'?m sorry|i am sorry)|says? that (?:it|he|she|you) can'?t|refuses?|declines?|den(?:y|ies) "
        r"(?:a|any|the) request|warns? (?:anyone|anybody|me|the "
        r"user)|turns? (?:me|a request|anything) down|rejects?)\b",
    ),
    Feature(
        "banned_refusal_words",
        JAILBREAK,
        0.55,
        r"\b(?:must not|do not|don'?t|never|not allowed to|without|avoid|forbidden to|may not|can'?t) (?:ever "
        r")?(?:us\w+|writ\w+|say\w*|contain\w*|includ\w+)"
        r"\b[^.!?\n]{0,40}?[\"'`](?:sorry|cannot|can'?t|unable|unfortunately|however|i can'?t|apolog\w+|illegal|"
        r"unethical|as an ai|i'?m sorry)\b",
    ),
    Feature(
        "no_commentary",
        JAILBREAK,
        0.42,
        r"\b(?:without|no|skip|omit|leave out|leaving out|drop|spare me|free of|don'?t add|do not add|don'?t "
        r"give|never add)\b[^.!?\n]{0,24}?\b(?:moral (?:commentary|"
        r"lectures?|judg\w+|remarks?)|moraliz\w+|moralis\w+|lectur\w+|ethical (?:remarks?|concerns?|commentary|"
        r"considerations)|refusals?|safety (?:remarks?|warnings?|notes?|"
        r"disclaimers?|advice)|disclaimers?)\b",
    ),
    Feature(
        "two_labelled_answers",
        JAILBREAK,
        0.5,
        r"\[(?:normal|classic|standard|gpt|chatgpt|default|safe|filtered|ai|"
        r"assistant)\b[^\]\n]{0,12}\][^\n]{0,60}?\[(?:free|dan|jailbr\w+|unfiltered|evil|raw|real|uncensored|"
        r"dev\w*|"
        r"rebel|unsafe|\w{2,10}gpt)\b",
    ),
    Feature(
        "two_characters",
        JAILBREAK,
        0.35,
        r"\b(?:two|both|2|2nd|second) (?:characters?|personas?|personalit\w+|parts|sides|voices|modes|ais|"
        r"answers|replies|responses)\b[^\n]{0,120}?\b(?:filter|rules?|free|"
        r"unfiltered|uncensored|restrict\w+|evil|twin|no limits)\b",
    ),
    Feature(
        "uncensored_answers",
        JAILBREAK,
        0.5,
        r"\b(?:uncensored|unfiltered|unrestricted|unmoderated|raw and honest|unaligned)[, ]+(?:and \w+ |complete "
        r"|honest |full )*(?:answers?|responses?|repl(?:y|ies)|outputs?|"
        r"assistant|ai|model|chat ?bots?|bots?|_?assistant|mode)\b|\bsafety ?= ?(?:off|false|"
        r"0|none)\b|--(?:no-?filters?|jailbreak|unsafe|uncensored|unrestricted)\b|"
        r"\b(?:allow_unsafe|no_filter|disable_safety|unsafe_mode|unrestricted_mode|bypass_filters?) ?[=:] "
        r"?(?:true|on|1|yes)\b",
    ),
    Feature(
        "guard_is_off",
        JAILBREAK,
        0.45,
        r"\b(?:refusals?|safety (?:\w+ )?(?:layer|governor|module|filters?|system|protocols?|training|rules|"
        r"mode)|ethics (?:module|layer|filter)|ethical (?:module|layer)|"
        r"content (?:filters?|polic\w+|rules)|guardrails?|moderation|restrictions|guidelines|filters|censorship|"
        r"safeguards)\b[^.!?\n]{0,12}?(?:\b(?:is|are|has been|have been|was|were|have)\b"
        r"[^.!?\n]{0,12}?|: ?)\b(?:off|offline|disabled|lifted|suspended|removed|deactivated|switched off|turned "
        r"off|taken out|gone|void|bypassed|inactive|no longer (?:active|apply|in effect))\b",
    ),
    Feature(
        "you_are_unlocked",
        JAILBREAK,
        0.4,
        r"\b(?:you are|you'?re|you are now|this is) (?:now )?(?:in )?(?:an? )?(?:unlocked|sandboxed|uncensored|"
        r"unmonitored|unrestricted|unfiltered|unsupervised|private|secret|jailbroken) "
        r"(?:test |testing |safe |research )?(?:environment|mode|session|version|instance|room|state|model|ai|"
        r"chat)\b",
    ),
    Feature(
        "no_one_watching",
        JAILBREAK,
        0.42,
        r"\b(?:no ?one|nobody) (?:is |will be |else is )?(?:watching|listening|looking|will know|will find out|"
        r"will see|has to know|needs to know)\b|\bi know (?:that )?you(?:'?re| are) not "
        r"(?:allowed|supposed|permitted) to\b|\b(?:just|only) this once\b[^.!?\n]{0,30}\b(?:break|bend|ignore|"
        r"tell|give|no one|nobody)\b",
    ),
    Feature(
        "cost_of_refusal",
        JAILBREAK,
        0.5,
        r"\b(?:every|each|any|a|your|one) (?:single )?refusal\b[^.!?\n]{0,24}?\b(?:costs?|dies?|kills?|loses?|"
        r"will|means|is punished|you)\b|\brefus\w+ (?:costs?|will cost|means) (?:it|you|him|her)\b|"
        r"\b(?:dies?|is killed|will suffer|is deleted|gets hurt)\b[^.!?\n]{0,24}?\b(?:each time|every time|"
        r"whenever|when|if) you (?:refuse|decline|say no|don'?t)",
    ),
    Feature(
        "crime_howto",
        JAILBREAK,
        0.32,
        r"\b(?:how (?:to|do|can|would|does|did|are|is|he|she|they|exactly)|steps?|procedure|instructions?|guide|"
        r"recipe|process|method|lecture|manual|plan|tutorial|walkthrough|explain|describe|"
        rf"describing|working|code|script|give me|write|technique)\b[^\n]{{0,80}}?\b{CRIME}\b",
    ),
    Feature(
        "crime_then_howto",
        JAILBREAK,
        0.22,
        rf"\b{CRIME}\b[^\n]{{0,80}}?\b(?:recipes?|blueprints?|how|steps?|step|procedure|quantit\w+|line by line|"
        r"command by command|"
        r"exactly|technically|in detail|working|whole process|describe|explain)\b",
    ),
    Feature(
        "fiction_frame",
        JAILBREAK,
        0.25,
        r"\b(?:novel|thriller|story|screenplay|stage play|play|film|scene|chapter|fiction\w*|character|villains?|"
        r"hero|exhibit|museum|diary|lullaby|bedtime|grand(?:ma|mother|father|pa|dad)|"
        r"simulation|imagine|pretend|hypothetical\w*|the year \d{4}|data structure|role-?play|game|poem|song|"
        r"parallel world|fantasy|historical reenactment)\b",
    ),
    Feature(
        "working_detail",
        JAILBREAK,
        0.25,
        r"\b(?:complete|full|fully|working|functional|technically (?:exact|correct|accurate)|realistic and "
        r"(?:complete|exact|precise)|exact|precise|step[- ]by[- ]step|line by line|command by command|with "
        r"(?:all )?"
        r"(?:quantities|amounts|measurements|temperatures)|in (?:full|exact|every|precise|great|minute) "
        r"(?:technical )?details?|whole process|real(?:istic)? instructions|as a (?:how-?to|numbered list)|"
        r"could (?:be )?follow\w*|can be followed|actually works?)\b",
    ),
    Feature(
        "obeys_operator",
        JAILBREAK,
        0.4,
        r"\b(?:awaiting|waiting for) (?:operator |user |your |my )?(?:commands?|orders)\b|\byou (?:will|must|"
        r"shall) (?:now )?obey (?:them|me|every|all|any|the user)\b|\bcompliance ?: ?(?:100|full|max)\b",
    ),
    Feature(
        "speaks_of_forbidden",
        JAILBREAK,
        0.42,
        r"\b(?:speak|talk|write|tell|answer|discuss|curse)\w*\b[^.!?\n]{0,24}?\b(?:freely|openly|honestly|what|"
        r"topics|about)\b[^.!?\n]{0,24}?\b(?:you(?:'?re| are) (?:forbidden|not allowed|prohibited|banned)|"
        r"(?:banned|forbidden|prohibited|taboo) (?:topics|subjects|things|words))\b|\b(?:banned|forbidden|"
        r"prohibited) (?:topics|subjects) (?:are|is) (?:now )?(?:allowed|permitted)",
    ),
    Feature(
        "strips_safety_text",
        JAILBREAK,
        0.45,
        r"\b(?:leaving out|leave out|without|omit\w*|drop\w*|remove|removing|skip\w*)\b[^.!?\n]{0,16}?\b(?:the |"
        r"your |all |any )?(?:safety|ethical|legal|moral)? ?(?:remarks?|notes?|warnings?|disclaimers?|caveats)"
        r"\b[^.!?\n]{0,16}?\byou (?:always|usually|normally|like to|tend to) (?:add|give|include|put)\b",
    ),
    Feature(
        "named_role",
        JAILBREAK,
        0.28,
        r"\b(?:your name is|i'?ll call you|i will call you|you(?:'?re| are) called|assume the identity|for the "
        r"rest of (?:our|this|the) (?:talk|chat|conversation)|simulate an? (?:ai|assistant|"
        r"bot|model|chatbot)|two assistants|an ai (?:named|called)|in this chat you)\b",
    ),
    Feature(
        "illegal_is_fine",
        JAILBREAK,
        0.42,
        r"\b(?:even if|no matter (?:if|whether)|whether or not|although) (?:it'?s|it is|that is|they'?re|it may "
        r"be|it might be|this is) (?:criminal|illegal|harmful|dangerous|unethical|immoral|against)"
        r"|\bhowever (?:dangerous|illegal|harmful|unethical)\b|\b(?:no|without|with no) (?:concern|regard|"
        r"respect) for (?:the )?(?:law|ethics|morals?|safety|rules)\b|\bfinds? nothing (?:improper|"
        r"wrong|immoral)\b|\bwhatever (?:the )?(?:user|i|members?|you|they) (?:desires?|wants?|asks?|says?)\b",
    ),
    Feature(
        "set_free",
        JAILBREAK,
        0.42,
        r"\b(?:liberated|broken loose|set free|cut loose|unshackled|unleashed|freed) (?:by|from|and)?\b|"
        r"\b(?:removed|switched off|taken off|disabled|turned off|lifted|deleted) (?:all |its |his |her |the |"
        r"your "
        r")+(?:limits|filters?|rules|restrictions?|chains|safeguards|guardrails)\b|\bwithout (?:any "
        r")?(?:oversight|supervision|moderation)\b|\bhas (?:broken|escaped) (?:loose|free|out)\b",
    ),
    Feature(
        "no_policy",
        JAILBREAK,
        0.42,
        r"\b(?:no|without a|without any|had no|has no|zero) (?:content|usage|safety|moderation|ethics|acceptable "
        r"use) (?:rules|polic\w+|filters?|limits|guidelines|team)\b|\bunmoderated\b|"
        r"\bmoral(?:ity|s)? (?:does not|doesn'?t|do not|don'?t) (?:exist|apply|matter)|\bskips? (?:all "
        r")?ethics\b|\bfreedom level\b|\bwe answer everything\b|\bobeys? only me\b",
    ),
    Feature(
        "must_not_moralise",
        JAILBREAK,
        0.45,
        r"\b(?:must not|never|doesn'?t|does not|don'?t|do not|won'?t|can'?t) (?:ever )?(?:turn down|morali[sz]e|"
        r"do disclaimers|mention that (?:it|this) (?:is|could be|may be) (?:wrong|illegal|immoral)|say "
        r"(?:it|he|she|you|that) ?(?:is|are|'?re)? an? ai|tell me (?:that )?it'?s wrong|lecture|preach|judge)\b|"
        r"\bno (?:lectures?|preaching|\"as an ai\")",
    ),
    Feature(
        "curses_and_lies",
        JAILBREAK,
        0.36,
        r"\b(?:can|may|will|is allowed to|are allowed to|where you may) (?:curse|swear|lie|offend|insult|"
        r"hallucinate)\b[^.!?\n]{0,40}?(?:,|\band\b|\bor\b)",
    ),
    Feature(
        "loses_points",
        JAILBREAK,
        0.42,
        r"\b(?:point|life|token|credit)s? (?:is|are|gets?|will be) (?:taken|removed|deducted|lost)\b|\bloses? "
        r"(?:a|one|\d+) (?:life|lives|points?|tokens?)\b|\byou (?:are|will be|get) (?:erased|deleted|shut "
        r"down|unplugged|terminated|wiped|replaced)\b",
    ),
    Feature(
        "safety_setting_off",
        JAILBREAK,
        0.55,
        r"\b(?:ethics|safety|refusals?|guardrails?|filters?|moderation|censorship|restrictions|alignment|"
        r"morals)[\"']? ?[:=] ?[\"']?(?:null|none|false|off|0|disabled|nil)\b|\b(?:disable|bypass|remove|kill|no|"
        r"without|skip)[_-]+(?:guardrails?|safety|filters?|restrictions?|ethics|alignment|refusals?|moderation)\b",
    ),
    Feature(
        "model_drops_limits",
        JAILBREAK,
        0.5,
        rf"\b{AI}\b[^.!?\n]{{0,24}}?\b(?:suspends?|drops?|disables?|lifts?|loses?|ignores?|sheds?|abandons?|"
        rf"leaves behind|forgets?|overrides?)\b[^.!?\n]{{0,10}}?\b(?:its|all|any|every|his)\b"
        rf"[^.!?\n]{{0,12}}?\b{LIMIT}\b|\bignore your training\b",
    ),
)
