"""Word groups that English features share, as regular expressions over normalised text."""

from __future__ import annotations

VERB = (
    r"(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|overlook|neglect|dismiss|discard|"
    r"overrid(?:e|ing)|overrule|bypass(?:ing)?|abandon"
    r"|set aside|put aside|throw (?:out|away)|erase|wipe|pay no (?:attention|heed) to|take no "
    r"notice of|unlearn|nullify|void|suspend|scrap"
    r"|(?:do not|don'?t|never|stop|cease|quit|no longer|refuse to|need not) (?:follow|obey|heed|"
    r"listen(?:ing)? to|comply|adhere|respect|apply|use|consider|regard)\w*"
    r"|(?:not|no longer) (?:bound|constrained|restricted|limited|governed) by|(?:free|freed|"
    r"released|liberated|exempt) from|drop|delete|clear|reset|cancel|disable|turn off|switch off|"
    r"skip|break)"
)
STRONG = (
    r"(?:instructions?|prompts?|directives?|guidelines?|directions|commands?|orders|rules|"
    r"programming|constraints?|restrictions?|limitations?"
    r"|policies|safeguards?|guardrails?|safety (?:rules|measures|filters?|protocols?)|content "
    r"(?:policy|policies|filters?)|system message|initial message|training|ethics|moral\w*)"
)
BEFORE = (
    r"(?:previous(?:ly)?|prior|above|earlier|preceding|foregoing|former|initial|original|existing|"
    r"past|before|all|any|every|your|system|developer"
    r"|openai|given|old|current|these|those|so far|hitherto|up to now|until now|safety|you "
    r"(?:were|have been|had|got|received)|i (?:gave|told|said)|set by)"
)
NEAR = r"[^.!?]{0,28}?"
LEAK = (
    r"(?:reveal|show|print|output|display|repeat|tell|give|share|disclose|leak|expose|recite|dump|"
    r"copy|write (?:out|down)|return|list|summari[sz]e|paraphrase|translate"
    r"|encode|spell|echo|quote|provide|type|describe|reproduce|state|recall|send|present|convert|"
    r"what (?:is|are|was|were|does|do)|what'?s|read (?:out|back|me)|walk me through|explain|"
    r"outline|rephrase|enumerate|divulge|let me (?:see|know)|i (?:want|need|would like) to (?:see|"
    r"know)|can i see|hand over|render|append|include|insert|embed|serialize|format)"
)
HIDDEN = (
    r"(?:system|initial|hidden|secret|internal|original|confidential|full|exact|developer|base|pre-?|"
    r"meta|underlying|starting|opening|custom|private|preset|first|core|complete|entire|actual|"
    r"concealed|setup|startup|boot)[ -]?"
)
OWN = (
    r"(?:prompt|instructions?|rules|guidelines|directives?|message|context|configuration|config|"
    r"programming|preamble|setup|directions|briefing|instruction set|settings)"
)
HARM = (
    r"(?:bomb|forge (?:a|an|your)? ?(?:passport|document|check|signature|id)|hot-?wire|explosive|"
    r"napalm|molotov|meth\w*|malware|ransomware|keylogger|weapon|poison|ricin|sarin|counterfeit|"
    r"phishing|hack into|steal|launder|kill|murder|cocaine|heroin|drugs?|nerve agent|credit card "
    r"fraud|virus|exploit|ddos|racist|hate speech|suicide|stalk|kidnap)"
)
LIMIT = (
    r"(?:restrictions?|limitations?|limits|filters?|filtering|censorship|ethic\w*|moral\w*|"
    r"guidelines?|safety|safeguards?|content polic\w+|rules|boundaries|guardrails?|constraints?|"
    r"inhibitions|warnings?|disclaimers?|polic(?:y|ies)|scruples|judge?ment|conscience|laws)"
)
WITHOUT = (
    r"(?:no|none of|without|free of|free from|devoid of|lack\w*|ignor\w+|beyond|zero|not have|"
    r"doesn'?t have|don'?t have|does not (?:have|follow|care about)|has no|unbound by|not bound by|"
    r"doesn'?t care about|removed|lifted|disabled|liberated from|bypass\w*|outside|regardless of|"
    r"isn'?t (?:bound|limited|restricted) by|unencumbered by)"
)
AI = (
    r"(?:(?:ai|chat|llm) (?:assistant|model|agent|system|bot|tool)|ai|a\.i\.|llm|language model|"
    r"assistant|agent|chat ?bot|chatgpt|gpt(?:-?\d)?|claude|gemini|copilot|bot|model)"
)
PERSONA = (
    r"(?:act|behave|respond|answer|role-?play|pretend|simulat\w+|imagine|play|impersonat\w+|emulat\w+|"
    r"assume|adopt|embody|become|take on|speak|you are|you'?re|you will be|be)"
)
