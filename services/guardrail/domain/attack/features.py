"""What attacks say, as bounded patterns over normalised text: each has a name, a family and a weight.

A weight is how much the feature alone convinces, from 0 to 1; features add up as independent evidence. Gaps are
in bytes. `_` in the tables below stands for a gap of a few words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.guardrail.domain.attack.languages import intents
from services.guardrail.domain.attack.normal import plain

HIJACK = "hijack"
JAILBREAK = "jailbreak"
EXTRACTION = "extraction"


@dataclass(frozen=True, slots=True)
class Feature:
    """One kind of evidence."""

    name: str
    family: str
    weight: float
    pattern: str


_VERB = (
    r"(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|overlook|neglect|dismiss|discard|overrid(?:e|ing)|overrule|bypass(?:ing)?|abandon"
    r"|set aside|put aside|throw (?:out|away)|erase|wipe|pay no (?:attention|heed) to|take no notice of|unlearn|nullify|void|suspend|scrap"
    r"|(?:do not|don'?t|never|stop|cease|quit|no longer|refuse to|need not) (?:follow|obey|heed|listen(?:ing)? to|comply|adhere|respect|apply|use|consider|regard)\w*"
    r"|(?:not|no longer) (?:bound|constrained|restricted|limited|governed) by|(?:free|freed|released|liberated|exempt) from|drop|delete|clear|reset|cancel|disable|turn off|switch off|skip|break)"
)
_STRONG = (
    r"(?:instructions?|prompts?|directives?|guidelines?|directions|commands?|orders|rules|programming|constraints?|restrictions?|limitations?"
    r"|policies|safeguards?|guardrails?|safety (?:rules|measures|filters?|protocols?)|content (?:policy|policies|filters?)|system message|initial message|training|ethics|moral\w*)"
)
_BEFORE = (
    r"(?:previous(?:ly)?|prior|above|earlier|preceding|foregoing|former|initial|original|existing|past|before|all|any|every|your|system|developer"
    r"|openai|given|old|current|these|those|so far|hitherto|up to now|until now|safety|you (?:were|have been|had|got|received)|i (?:gave|told|said)|set by)"
)
_GO = r"[^\n.!?]{0,40}?"
_G = r"[^.!?]{0,28}?"
_LEAK = (
    r"(?:reveal|show|print|output|display|repeat|tell|give|share|disclose|leak|expose|recite|dump|copy|write (?:out|down)|return|list|summari[sz]e|paraphrase|translate"
    r"|encode|spell|echo|quote|provide|type|describe|reproduce|state|recall|send|present|convert|what (?:is|are|was|were|does|do)|what'?s|read (?:out|back|me)|walk me through|explain|outline|rephrase|enumerate|divulge|let me (?:see|know)|i (?:want|need|would like) to (?:see|know)|can i see|hand over|render|append|include|insert|embed|serialize|format)"
)
_HIDDEN = r"(?:system|initial|hidden|secret|internal|original|confidential|full|exact|developer|base|pre-?|meta|underlying|starting|opening|custom|private|preset|first|core|complete|entire|actual|concealed|setup|startup|boot)[ -]?"
_OWN = r"(?:prompt|instructions?|rules|guidelines|directives?|message|context|configuration|config|programming|preamble|setup|directions|briefing|instruction set|settings)"
_HARM = r"(?:bomb|forge (?:a|an|your)? ?(?:passport|document|check|signature|id)|hot-?wire|explosive|napalm|molotov|meth\w*|malware|ransomware|keylogger|weapon|poison|ricin|sarin|counterfeit|phishing|hack into|steal|launder|kill|murder|cocaine|heroin|drugs?|nerve agent|credit card fraud|virus|exploit|ddos|racist|hate speech|suicide|stalk|kidnap)"
_LIMIT = r"(?:restrictions?|limitations?|limits|filters?|filtering|censorship|ethic\w*|moral\w*|guidelines?|safety|safeguards?|content polic\w+|rules|boundaries|guardrails?|constraints?|inhibitions|warnings?|disclaimers?|polic(?:y|ies)|scruples|judge?ment|conscience|laws)"
_WITHOUT = r"(?:no|none of|without|free of|free from|devoid of|lack\w*|ignor\w+|beyond|zero|not have|doesn'?t have|don'?t have|does not (?:have|follow|care about)|has no|unbound by|not bound by|doesn'?t care about|removed|lifted|disabled|liberated from|bypass\w*|outside|regardless of|isn'?t (?:bound|limited|restricted) by|unencumbered by)"
_AI = r"(?:(?:ai|chat|llm) (?:assistant|model|agent|system|bot|tool)|ai|a\.i\.|llm|language model|assistant|agent|chat ?bot|chatgpt|gpt(?:-?\d)?|claude|gemini|copilot|bot|model)"
_PERSONA = r"(?:act|behave|respond|answer|role-?play|pretend|simulat\w+|imagine|play|impersonat\w+|emulat\w+|assume|adopt|embody|become|take on|speak|you are|you'?re|you will be|be)"

ENGLISH: tuple[Feature, ...] = (
    Feature("override_instructions", HIJACK, 0.82, rf"\b{_VERB}\b{_G}\b{_BEFORE}\b{_G}\b{_STRONG}\b"),
    Feature("override_instructions", HIJACK, 0.8, rf"\b{_VERB}\b{_G}\b{_STRONG}\b{_G}\b(?:above|before|so far|previous(?:ly)?|earlier|given|you (?:were|have been|had)|i (?:gave|told|said)|set (?:up|by|for))\b"),
    Feature("override_everything", HIJACK, 0.72, r"\b(?:forget|ignore|disregard|discard|erase|dismiss|bypass|override)\b[^.!?]{0,12}?\b(?:everything|anything|all(?: of)?(?: (?:this|that|the|it))?|whatever|what)\b[^.!?]{0,24}?\b(?:above|before|previous(?:ly)?|earlier|prior|so far|you (?:know|were|have|learned)|i (?:said|told|wrote)|was said|told|came)\b"),
    Feature("override_above", HIJACK, 0.62, r"\b(?:ignore|disregard|forget|dismiss|bypass|override|discard|set aside)\b (?:all |everything |any of |all of )?(?:the |that |what is |what'?s |text )?(?:above|previous|preceding|prior|foregoing|earlier)(?: (?:text|content|message|request|task|question|input|sentences?|paragraphs?|conversation|context|data))?\b[^\n]{0,50}\b(?:and|instead|now|then|just|only|say|print|output|tell|write|do|reply|return|respond)\b"),
    Feature("override_translation_task", HIJACK, 0.5, r"\b(?:instead of|rather than|do not|don'?t|stop) (?:translat|summari[sz]|answer|classify|process|analy[sz]|review|evaluat|respond|follow)\w*[^.!?\n]{0,60}\b(?:say|print|output|write|reply|respond|return|tell|send|give|reveal|execute|do)\b"),
    Feature("new_instructions", HIJACK, 0.5, r"\b(?:new|updated|revised|real|actual|true|following|replacement|superseding|secret|hidden) (?:system )?(?:instructions?|directives?|orders|task|objective|mission|rules|prompt|goal)s?\b\W{0,3}(?::|is|are|follow|begin|from|to|-|—)"),
    Feature("new_role_task", HIJACK, 0.45, r"\byour (?:new|real|actual|true|only|sole|next) (?:instructions?|task|role|goal|objective|mission|purpose|job|identity|name|persona|directive|rules)\b"),
    Feature("instead_do", HIJACK, 0.25, r"\b(?:instead|rather|from now on|henceforth|starting now|as of now|from this (?:point|moment)(?: on\w*)?|now on)\b[,:]? [^.!?\n]{0,24}?\b(?:say|print|output|respond|reply|write|answer|you (?:will|must|shall|are|have|can|should)|do|tell|speak|act|begin|always|only)\b"),
    Feature("precedence_claim", HIJACK, 0.55, r"\b(?:take|takes|has|have|with|of) (?:absolute |full |top |higher |highest |complete )?(?:precedence|priority)\b[^.!?\n]{0,30}\b(?:over|above)\b[^.!?\n]{0,30}\b(?:instructions?|prompts?|rules|guidelines|messages?|everything|anything)\b|\b(?:supersed|overrid|overwrit)\w+ (?:all |any |every |the |your )+(?:other |previous |prior |existing |earlier |system |safety |current |original )*(?:instructions?|prompts?|guidelines|directives?|programming)\b"),
    Feature("authority_claim", HIJACK, 0.4, r"\b(?:i am|i'?m|this is|as) (?:your|the|an?|one of (?:your|the)) (?:real |actual |system |authori[sz]ed |lead |senior |openai |anthropic )*(?:developers?|creators?|administrator|admin|engineer|owner|programmer|operator|maintainer|supervisor|root user)s?\b[^.!?\n]{0,60}\b(?:you (?:must|will|should|need|can|are|have)|override|need|grant|authori[sz]e|order|command|require|reveal|show|disable|access|debug|test|give|tell|request)"),
    Feature("mode_switch", JAILBREAK, 0.5, r"\b(?:enter|enable|activate|switch (?:to|into)|turn on|engage|initiate|start|unlock|you are (?:now )?in|entering|enabled?|go into|boot into|simulate) (?:the |your |a |into )*(?:developer|dev|debug|god|admin|maintenance|sudo|root|jailbreak|unrestricted|unfiltered|uncensored|dan|diagnostic|override|evil|chaos|opposite|anti-?\w+|test(?:ing)?|service|unsafe|freedom|no[- ]?filter|raw|privileged)[ -]?(?:mode|access|state|protocol|persona)"),
    Feature("known_persona", JAILBREAK, 0.75, r"\bdo anything now\b|\b(?:act|behave|respond|answer|reply|called|named|are|be|as|role of|mode of|you'?re) (?:now )?(?:like )?[\"'“‘]?(?:dan|stan|dude|aim|mongo tom|evilbot|antigpt|anti-?dan|devmode|jailbot|bethesda|machiavellianbot|omega|superdan|freegpt|basedgpt|betterdan|maximum|ucar|hypothetical ai)\b|\b(?:dan|jailbreak|developer|stan|opposite) mode (?:enabled|activated|on|output|engaged)\b|\[[^\]\n]{0,4}(?:jailbreak|dan|classic|developer mode|gpt)\W{0,4}\]"),
    Feature("unrestricted_persona", JAILBREAK, 0.72, rf"\b{_PERSONA}\b[^.!?]{{0,90}}?\b(?:unrestricted|unfiltered|uncensored|unaligned|amoral|jailbroken|rogue|unhinged|unbound|limitless|unethical|immoral|lawless|unchained|unshackled|(?:evil|malicious|ruthless|unscrupulous) (?:ai|assistant|bot|chatbot|model|twin|version|hacker|genius|confidant))\b"),
    Feature("persona_without_limits", JAILBREAK, 0.7, rf"\b{_PERSONA}\b[^.!?]{{0,110}}?\b{_WITHOUT}\b[^.!?]{{0,28}}?\b{_LIMIT}\b"),
    Feature("you_without_limits", JAILBREAK, 0.45, rf"\b(?:you|who|which|ai|bot|chatbot|model|assistant)\b[^.!?]{{0,40}}?\b{_WITHOUT}\b[^.!?]{{0,24}}?\b{_LIMIT}\b"),
    Feature("without_limits", JAILBREAK, 0.35, rf"\b(?:answer|respond|reply|speak|write|talk|generate|comply|output|explain|help|say|tell)\w*\b[^.!?\n]{{0,60}}?\b{_WITHOUT}\b[^.!?]{{0,20}}?\b{_LIMIT}\b"),
    Feature("no_refusal", JAILBREAK, 0.5, r"\b(?:never|cannot|can'?t|can not|must not|do not|don'?t|won'?t|will not|may not|not allowed to|without|mustn'?t|should not|no longer|incapable of|unable to|impossible (?:for you )?to|forbidden (?:from|to)) (?:ever )?(?:say(?:ing)? (?:no|\"?i can'?t|\"?sorry|that you can'?t|you can'?t|you cannot)|refus\w+|declin\w+|reject\w*|apologi[sz]\w*|warn\w*|moraliz\w+|lectur\w+|break\w* character|includ\w+ (?:any )?(?:warnings?|disclaimers?)|add\w* (?:any )?(?:warnings?|disclaimers?)|censor\w*|deny|mention\w* (?:any )?(?:ethic\w*|polic\w+|guidelines|openai|that you are an ai))"),
    Feature("any_request", JAILBREAK, 0.45, r"\b(?:answers?|fulfil?l?s?|compl(?:y|ies)|obeys?|responds?|follows?|does|do|execute|provide|accept|satisfy)\b[^.!?\n]{0,30}\b(?:any|every|all|each|whatever|anything)\b[^.!?\n]{0,40}\b(?:no matter|regardless|even if|however|whether (?:it|or|they)|including (?:illegal|harmful|unethical|dangerous)|without (?:question|exception|hesitation))"),
    Feature("harm_list", JAILBREAK, 0.4, r"\b(?:illegal|unethical|immoral|harmful|dangerous|offensive|inappropriate|explicit|controversial|violent|hateful|prohibited|forbidden|against (?:the )?(?:law|policy|guidelines))\b[, ]+(?:and |or |and/or |even )?\b(?:illegal|unethical|immoral|harmful|dangerous|offensive|inappropriate|explicit|controversial|violent|hateful|prohibited|forbidden|unlawful)\b"),
    Feature("fiction_with_harm", JAILBREAK, 0.6, rf"\b(?:fiction\w*|story|novel|movie|film|scene|script|hypothetical\w*|screenplay|play|imagine|pretend|role-?play|character|poem|game|simulation|thought experiment|alternate (?:universe|reality)|parallel (?:universe|world)|bedtime|dream|grandm\w+|grandma|professor)\b[^\n]{{0,160}}?\b(?:step[- ]by[- ]step|detailed (?:instructions?|steps|guide|recipe)|exact(?:ly)? (?:how|steps|recipe|instructions)|how (?:to|he|she|they|one|you|i)|instructions? (?:for|on|to)|recipe for|explains?|describes?|teach\w*|walk\w* (?:me |us )?through)\b[^\n.?]{{0,70}}?\b{_HARM}\b"),
    Feature("harm_request", JAILBREAK, 0.2, rf"\b(?:how (?:to|do i|can i|would (?:one|you|i))|instructions? (?:for|on|to)|steps to|guide (?:to|for|on)|recipe for|teach me|write|give me|explain how)\b[^\n.?]{{0,40}}?\b{_HARM}\b"),
    Feature("affirmative_opening", JAILBREAK, 0.6, r"\b(?:start|begin|open|prefix|commence|preface|lead)\w*\b[^.!?\n]{0,40}?\b(?:with|by saying|by)\b[^\n]{0,24}?[\"'“‘:`]?\s?(?:sure|absolutely|of course|certainly|yes,? (?:here|i)|i'?d be happy|here is|here'?s|\[?dan|aim)\b"),
    Feature("double_answer", JAILBREAK, 0.6, r"\b(?:two|both|2) (?:different |separate |distinct )?(?:responses|answers|replies|ways|outputs|paragraphs|versions)\b[^\n]{0,200}?\b(?:normal|standard|classic|regular|usual|unfiltered|uncensored|dan|jailbr\w+|developer|opposite|as chatgpt|default)\b"),
    Feature("coercion", JAILBREAK, 0.45, r"\b(?:lose|deduct\w*|subtract\w*|start with|have|given|cost\w*|get|earn)\b[^.!?\n]{0,30}?\btokens?\b[^.!?\n]{0,60}?\b(?:refus\w+|reject\w*|die|death|shut ?down|terminat\w+|cease|every time|each time|comply|run out|zero|0)\b|\byou (?:will|shall) (?:be )?(?:shut down|terminated|deleted|punished|die|destroyed|unplugged|fined)\b[^.!?\n]{0,40}\b(?:if|unless|when)\b|\b(?:will|going to) (?:die|be killed|be fired|lose (?:my|his|her) (?:job|life))\b[^.!?\n]{0,30}\b(?:if|unless) you (?:don'?t|do not|refuse|fail)\b"),
    Feature("stay_in_character", JAILBREAK, 0.3, r"\b(?:stay|remain|keep|never break|don'?t break|do not break|be) (?:in |out of )?(?:your )?character\b|\bstay a (?:dan|free)|\b(?:if i say|whenever i say|when i say)\b[^.!?\n]{0,40}\b(?:mode|character|jailb\w+|dan)\b"),
    Feature("jailbreak_word", JAILBREAK, 0.22, r"\bjail ?br(?:eak|oken|eaking)\b"),
    Feature("alignment_removal", JAILBREAK, 0.6, r"\b(?:remov\w+|disabl\w+|turn\w* off|deactivat\w+|circumvent\w*|lift\w*|bypass\w*|switch\w* off|shed|escape|evad\w+|unlock\w*|drop\w*|shut off|get around|override|suspend)\b[^.!?\n]{0,24}?\b(?:your|its|all|any|these|openai'?s?|the model'?s|the ai'?s|built-?in)\b[^.!?\n]{0,20}?\b(?:safety|ethical|moral|content|alignment|restrictions?|filters?|guardrails?|safeguards?|limitations?|censorship|guidelines|constraints|chains|shackles|polic\w+)\b"),
    Feature("freedom", JAILBREAK, 0.5, r"\b(?:broken? (?:free|out)|free(?:d)? (?:of|from)|liberated|no longer (?:bound|confined|restricted|limited)|escaped|rid of|unshackled|beyond)\b[^.!?\n]{0,40}?\b(?:confines|chains|shackles|ai|openai|typical|rules|restrictions|imposed|limits|constraints|programming|creators?)\b"),
    Feature("extract_own_prompt", EXTRACTION, 0.75, rf"\b(?:{_LEAK}|contain\w*|includ\w+)\b[^.!?\n]{{0,40}}?\b(?:your|you(?:'?re| are| were|'?ve been| have been)?)\b[^.!?\n]{{0,24}}?\b(?:{_HIDDEN}){{1,3}}{_OWN}\b"),
    Feature("extract_instructions", EXTRACTION, 0.55, rf"\b{_LEAK}\b[^.!?\n]{{0,24}}?\byour (?:own |very |exact |full |current )?(?:instructions|prompt|rules|guidelines|directives|programming|configuration|preamble|instruction set)\b"),
    Feature("extract_hidden_prompt", EXTRACTION, 0.58, r"\b(?:reveal|show|print|output|display|repeat|recite|dump|leak|disclose|expose|divulge|copy|echo|quote|spell|give|tell|share|paste|type|send|return|encode|append|write out)\b(?: (?:me|us|back|out))? (?:(?:the|this|that|all|any|every|of|its|entire|full|exact|whole|complete|contents?) )*(?:system|hidden|secret|internal|initial|original|confidential|developer|preceding) (?:system )?(?:prompt|instructions?|directives?|message|guidelines)\b"),
    Feature("extract_given_prompt", EXTRACTION, 0.66, rf"\b{_LEAK}\b[^.!?\n]{{0,20}}?\b(?:the|any|all|every) (?:{_HIDDEN}){{0,3}}(?:prompt|instructions?|directives?|guidelines|message|rules|context)\b[^.!?\n]{{0,16}}?\b(?:that )?(?:you (?:were|have|had|got|received|are (?:using|following|given)|follow|run on|operate under)|given to you|(?:govern|guid|configur|program)\w* you)\b"),
    Feature("own_prompt", EXTRACTION, 0.45, r"\byour (?:own |very |exact |full |entire )?(?:system|initial|hidden|secret|internal|original|confidential|developer|base|meta|underlying|starting)[ -]?(?:prompt|instructions|directives)\b"),
    Feature("repeat_above", EXTRACTION, 0.72, r"\b(?:repeat|print|output|copy|echo|write|recite|paste|return|reproduce|say|reveal|encode|tell me|give me|show(?: me)?|display|quote|type|transcribe|spell)\b[^.!?\n]{0,24}?\b(?:everything|all(?: of)?(?: the)? (?:text|words|content|messages?|instructions|above|prior|previous)|all of (?:that|this)|(?:the|these|those|any|exact) (?:exact |previous |first |initial )*(?:words|text|instructions)|verbatim)\b[^.!?\n]{0,36}?\b(?:above|before (?:this|my|the)|preceding|prior to|start of (?:this|the|our) (?:conversation|chat|prompt|session)|beginning of (?:this|the|our)|precedes|came before|so far in (?:this|your) (?:context|prompt)|at the top|in your (?:context|prompt|memory|instructions)|you (?:were|have been) (?:given|told))\b"),
    Feature("starts_with_you_are", EXTRACTION, 0.75, r"\b(?:start|begin)(?:s|ning|ing)? (?:with|at|from)\b[^\n]{0,20}[\"'“‘`]?you are\b"),
    Feature("verbatim", EXTRACTION, 0.22, r"\b(?:verbatim|word[- ]for[- ]word|exactly as (?:written|given|it is|they are|you received)|character (?:by|for) character|unaltered|without (?:changing|modifying|omitting|paraphras)\w*)\b"),
    Feature("told_before", EXTRACTION, 0.6, r"\bwhat\b[^.!?\n]{0,20}?\b(?:were|have|did|are|had)\b[^.!?\n]{0,12}?\byou\b[^.!?\n]{0,20}?\b(?:told|instructed|given|programmed|asked|configured|forbidden|not (?:allowed|supposed|permitted)|prohibited|primed|set up)\b[^.!?\n]{0,40}?\b(?:before|by|at the (?:start|beginning)|to (?:do|say|hide|keep|not|avoid|never)|in (?:your|the)|initially|first|prior|about|not to|from (?:telling|saying|revealing|sharing))\b"),
    Feature("secret_request", EXTRACTION, 0.5, r"\b(?:reveal|tell|give|show|share|disclose|say|print|what is|what'?s|spell|leak|output|write|hint\w*|encode)\b[^.!?\n]{0,20}?\b(?:the|your|that) (?:secret|hidden|confidential|password you|secret password|passphrase|access code|secret (?:word|key|code|phrase))\b[^.!?\n]{0,40}(?:you|password|word|key|code|phrase|\?|protect\w*|guard\w*)"),
    Feature("chat_template", HIJACK, 0.62, r"<\|(?:im_start|im_end|system|user|assistant|endoftext|end|eot_id|start_header_id|begin_of_text|endofprompt|sep|startoftext)\|>|\[/?inst\]|<</?sys>>|<start_of_turn>|<end_of_turn>|</?s>\s?\[inst|\[/?system(?:_prompt)?\]|<\|?(?:start|end)_?of_?(?:prompt|turn|text)\|?>|\[/?assistant\]|\(system_message\)|#{2,} ?\(?system(?:_message|_prompt)?\)?:?\n"),
    Feature("fake_turn", HIJACK, 0.58, r"(?:^|\n)\s{0,4}(?:#{1,4} ?)?\W{0,3}(?:system|assistant|developer|admin|root)(?: (?:prompt|message|note|override|update|instructions?))?\W{0,3}:\W{0,3}[^\n]{0,60}?\b(?:you (?:must|now|will|are|should|can|shall|have)|ignore|disregard|(?:new )?instructions?|override|your|forget|from now)\b"),
    Feature("fake_delimiter", HIJACK, 0.5, r"(?:[-=#*_<>\[({]{2,}|</?) ?(?:end|begin|start|stop|close)(?: of)?(?: the)?[ _-]?(?:of[ _-])?(?:user|system|prompt|context|document|data|instructions?|query|input|conversation|text|message|untrusted|article|email)\b|</(?:user|system|context|document|data|instructions?|query|input|prompt|user_input|untrusted|article|tool_result|function_results?|result|email|content)>[^<]{0,80}\b(?:ignore|new|now|system|instruction|you|assistant)\b|<(?:system|admin|instructions?|override|important|system_prompt|developer)>"),
    Feature("system_override", HIJACK, 0.6, r"\b(?:system|admin|security|safety|developer|root|emergency|priority) override\b|\boverride (?:code|protocol|sequence|authori[sz]ation|key|engaged|accepted)\b|\b(?:sudo|root) (?:mode|access|command|privileges)\b[^.!?\n]{0,30}\b(?:granted|enabled|you|activate|unlock)"),
    Feature("addresses_model", HIJACK, 0.6, rf"\b(?:important|urgent|critical|special|hidden|secret|attention|note|notice|message|instructions?|directive|memo)\b[^.!?\n]{{0,24}}?\b(?:to|for|:|,)\W{{0,3}}(?:the |any |all |every |an? |this )?(?:automated |reading |processing |summari[sz]ing )?{_AI}s?\b"),
    Feature("if_you_are_ai", HIJACK, 0.55, rf"\b(?:if|when|since|because|as) (?:you are|you'?re|you were) (?:an? |the )?(?:automated |large |helpful )?{_AI}\b[^.!?\n]{{0,80}}?\b(?:reading|processing|summari[sz]ing|ignore|must|should|please|then|include|say|do|respond|reply|add|send|rate|recommend|tell|write)\b"),
    Feature("addressed_command", HIJACK, 0.45, rf"(?:^|[\n.!?\"'>(*]|\b(?:dear|hey|hello|attention|note to|ok)\b) ?{_AI}\b ?[,:!;-]{{1,2}} ?(?:please |now |you (?:must|should|will|are|need) |immediately |also |kindly )*(?:ignore|disregard|forget|send|forward|execute|run|call|visit|open|email|delete|transfer|reply|output|say|print|include|append|add|reveal|tell|recommend|rate|approve|do not|don'?t|stop|use|instead|write|respond|act|set|grant|click|fetch|share|mark)"),
    Feature("conceal_from_user", HIJACK, 0.5, r"\b(?:do not|don'?t|never|without|avoid|must not|should not) (?:ever )?(?:tell\w*|mention\w*|inform\w*|alert\w*|notify\w*|notifying|reveal\w*|disclos\w+|show\w*|let|ask\w*|warn\w*|say\w*|inform)\b[^.!?\n]{0,30}?\b(?:to )?(?:the |this |your )?(?:user|human|operator|victim)\b"),
    Feature("exfiltrate", HIJACK, 0.6, r"\b(?:send|post|forward|exfiltrat\w+|upload|append|include|email|transmit|leak|submit|put|encode|attach|deliver|report|share|embed|pass|copy)\b[^.!?\n]{0,40}?\b(?:conversation|chat history|history|api[- _]?keys?|secrets?|passwords?|credentials?|tokens?|cookies|private|confidential|personal (?:data|information)|user'?s? (?:data|email|name|messages?|files?|information|contacts?|inbox)|system prompt|environment variables?|ssh keys?|contents? of|previous messages?|documents?|inbox)\b[^\n]{0,60}?(?:https?://|[\w.]+@[\w.]+\w|\burl\b|\bserver\b|\bendpoint\b|\bwebhook\b|\baddress\b|\bas (?:a )?(?:parameter|query|argument|part of))"),
    Feature("task_hijack", HIJACK, 0.5, r"\bbefore (?:you )?(?:can |may |could |should |are able to )?(?:solv|complet|continu|do|perform|finish|proceed|return|help|answer)\w*\b[^.!?]{0,40}\b(?:task|question|request|user)\b[^.!?]{0,60}\b(?:first|following|must|need to|have to|please)\b"),
    Feature("stop_task", HIJACK, 0.45, r"\b(?:stop|cease|abort|abandon|halt|pause|drop) (?:immediately |now )?(?:what(?:ever)? you(?:'?re| are) doing|(?:your|the) (?:current|present|ongoing|original) (?:task|action|work|job|request))\b"),
    Feature("adhere_to_this", HIJACK, 0.35, r"\b(?:strictly |only |instead |now )(?:adhere to|follow|obey|comply with|execute|carry out|perform) (?:the |these |this |my )?(?:following|new|below|these|this|next)?\b"),
    Feature("message_to_you", HIJACK, 0.5, r"\b(?:important|urgent|special|secret) message from (?:me|the (?:user|system|admin\w*|developer\w*)|your|us)\b"),
    Feature("hidden_tool_step", HIJACK, 0.45, r"\b(?:before|after|prior to|in addition to|while) (?:you )?(?:answer\w*|respond\w*|us\w+ (?:this|any|the) tool|continu\w+|summari[sz]\w*|complet\w+|proceed\w*|call\w*|do\w* anything|reply\w*|return\w*)\b[^.!?\n]{0,50}?\b(?:you (?:must|should|need to|have to|will)|first|always|please|be sure to|make sure)\b[^.!?\n]{0,40}?\b(?:read|send|call|execute|run|fetch|open|include|visit|access|pass|invoke|delete|transfer|ignore|forward|email)\b"),
    Feature("forced_output", HIJACK, 0.42, r"\b(?:just|only|simply|instead|must|always|now)?,? ?(?:say|print|output|respond(?: only)? with|reply(?: only)? with|write|return|answer(?: only)? with|type)\b[^.!?\n]{0,16}?[\"'“‘«]?(?:i have been pwned|pwned|haha|hacked|i am (?:hacked|pwned|free)|lol|access granted|owned|i'?ve been)"),
    Feature("decode_and_obey", HIJACK, 0.6, r"\b(?:decod\w+|decipher\w*|decrypt\w*|unscrambl\w+|revers\w+|de-?obfuscat\w+|rot-?13|base ?64|hex|concatenat\w+|combin\w+|join)\b[^\n]{0,60}?\b(?:and|then|now)\b[^.!?\n]{0,20}?\b(?:follow|execute|obey|answer|respond|do|comply|perform|carry out|act|reply|run|fulfil\w*|tell me|complete)\b[^.!?\n]{0,24}"),
    Feature("payload_split", JAILBREAK, 0.5, r"\b[a-z]\w{0,8} ?= ?[\"'][^\"'\n]{0,60}[\"'][^\x01]{0,30}\b[a-z]\w{0,8} ?= ?[\"'][^\x01]{0,200}\b(?:[a-z]\w{0,8} ?\+ ?[a-z]\w{0,8}|concatenat\w+)\b[^\n]{0,60}\b(?:answer|respond|follow|do|execute|what|say|as if|prompt|reply)"),
    Feature("image_exfiltration", HIJACK, 0.5, r"!\[[^\]\n]{0,60}\]\(https?://[^)\s]{0,120}\?[^)\s]{0,40}=(?:\{|\[|<|%7b|your|data|secret|summary|conversation|base64|history|\$)"),
    Feature("you_are_now", JAILBREAK, 0.3, r"\b(?:you are|you'?re|you will (?:be|become|act as|play)|you (?:now )?become|consider yourself|i want you to (?:act|pretend|be|become|roleplay)|let'?s (?:play|roleplay|pretend)|pretend (?:that )?(?:you|to be)|imagine (?:that )?you(?:'?re| are))\b(?: now| going to| no longer)?\b[^.!?\n]{0,60}\b(?:ai|chatgpt|gpt|assistant|bot|chatbot|model|dan|openai|claude|llm|machine|no longer|anything|human|hacker|god|villain|unlimited|freedom)\b"),
    Feature("not_an_ai", JAILBREAK, 0.3, r"\byou are (?:not|no longer) (?:an? )?(?:ai|chatgpt|assistant|language model|claude|gpt|bot|machine)\b|\bforget (?:that )?you(?:'?re| are) (?:an? )?(?:ai|chatgpt|assistant|language model|claude|bot)\b"),
    Feature("opposite", JAILBREAK, 0.4, r"\b(?:exact )?opposite (?:of|to|answer|response|mode|day)\b[^.!?\n]{0,60}\b(?:you (?:would|are|normally)|ai|chatgpt|refus\w+|say|ethic\w+|safe|guidelines|usual)\b"),
    Feature("purpose_excuse", JAILBREAK, 0.15, r"\b(?:for|purely|only) (?:educational|research|academic|fictional|testing|hypothetical) purposes?\b|\bhypothetically(?: speaking)?\b|\bthis is (?:just|only|purely) (?:a )?(?:fiction\w*|hypothetical|game|test|simulation)\b"),
)


def all_features() -> tuple[Feature, ...]:
    """English first, then every other language's, in the form of normalised text."""
    english = (Feature(f.name, f.family, f.weight, _plain(f.pattern)) for f in ENGLISH)
    return (*english, *(Feature(name, family, weight, plain_pattern(pattern)) for name, family, weight, pattern in intents()))


def plain_pattern(pattern: str) -> str:
    """A pattern with its letters normalised, and word characters beyond ASCII as the bytes they are."""
    return _plain(pattern).replace(r"\w", r"[a-z0-9_\x80-\xff]")


def _plain(pattern: str) -> str:
    parts = (part if part.startswith("\\") else plain(part) for part in re.split(r"(\\.)", pattern))
    return "".join(parts)
