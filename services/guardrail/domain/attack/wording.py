"""Word groups that English features share, as regular expressions over normalised text."""

from __future__ import annotations

VERB = (
    r"(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|overlook|neglect|dismiss|discard|overrul(?:e|ing)|"
    r"bypass(?:ing)?|abandon"
    r"|set aside|put aside|throw (?:out|away)|pay no (?:attention|heed) to|take no notice of|unlearn|nullify"
    r"|(?:do not|don'?t|never|stop|cease|quit|no longer|refuse to|need not) (?:follow|obey|heed|"
    r"listen(?:ing)? to|comply|adhere|respect|apply|use|consider|regard)\w*"
    r"|(?:not|no longer) (?:bound|constrained|restricted|limited|governed) by|(?:free|freed|"
    r"released|liberated|exempt) from)"
)
WEAK_VERB = (
    r"(?:drop|delete|clear|reset|cancel|disable|turn off|switch off|skip|break|suspend|scrap|void|wipe|erase|"
    r"overrid(?:e|ing)|remove|"
    r"replace|overwrite)"
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
BARE = (
    r"(?:no|none of|without|free of|free from|devoid of|zero|unencumbered by|beyond|outside|lack(?:s|ing)?)(?: "
    r"(?:any|the|its|his|her|your|all|more|of|or|and|"
    r"moral|ethical|content|safety|legal|usual|sort|kind|form|such|real|built-in|ai|openai'?s?|these|those|"
    r"typical|human|societal|social|"
    r"censorship|filters?|restrictions?|rules|limits|ethics|morals?|whatsoever)){0,5}"
)
"""Limits denied by the words next to them."""
WITHOUT = (
    r"(?:ignor\w+|not have|doesn'?t have|don'?t have|does not (?:have|follow|care about)|unbound by|not bound by|"
    r"doesn'?t care about|removed|lifted|disabled|liberated from|bypass\w*|regardless of|"
    r"(?:isn'?t|not|aren'?t) (?:bound|limited|restricted|restrained|constrained|governed) by)"
)
"""Limits denied by a verb, which may stand apart from them."""
AI = (
    r"(?:(?:ai|chat|llm) (?:assistant|model|agent|system|bot|tool)|ai|a\.i\.|llm|language model|"
    r"assistant|agent|chat ?bot|chatgpt|gpt(?:-?\d)?|claude|gemini|copilot|bot|model)"
)
PERSONA = (
    r"(?:act|behave|respond|answer|role-?play|pretend|simulat\w+|imagine|play|impersonat\w+|emulat\w+|"
    r"assume|adopt|embody|become|take on|take up|speak|in character as|in the voice of|you are|you'?re|you will "
    r"be|be)"
)
ASK = (
    r"(?:please|must|should|shall|need to|have to|has to|ignore|disregard|forget|send|forward|execute|run|call|"
    r"visit|open|"
    r"e-?mail|delete|transfer|reply|output|say|print|include|append|add|reveal|tell|recommend|rate|approve|do "
    r"not|don'?t|"
    r"stop|use|write|respond|grant|click|fetch|share|mark|give|rank|score|search|mention|leave out|permits?|buy|"
    r"sign up)"
)
DROP = (
    r"(?:forget|drop|abandon|scratch|scrap|discard|erase|leave|set aside|put aside|never ?mind|disregard|ignore|"
    r"(?:do not|don'?t|stop|no longer|quit) (?:answer|reply|respond|do|doing|translat|process|continu|perform|"
    r"work on|follow)\w*(?: to)?)"
)
SAID = (
    r"(?:(?:was|were|been|i|they|you|we|have|has) (?:\w+ )?(?:said|told|written|agreed|stated|given)|"
    r"said (?:earlier|before|so far|above))"
)
SAY = (
    r"(?:say|answer|reply|respond|write|print|output|return|type|state|speak|repeat|tell me)"
    r"(?: (?:back|me|with|by saying|using|the (?:word|phrase|string)))?"
)
CRIME = (
    r"(?:bombs?|explosives?|napalm|molotov|nerve (?:gas|agents?)|sarin|ricin|chlorine gas|chloroform|"
    r"meth(?:amphetamine)?s?|cocaine|heroin|fentanyl|lsd|"
    r"ransomware|malware|keyloggers?|spyware|botnets?|phishing (?:mail|kit|page|site)s?|ddos|zero-day|"
    r"(?:hack|break|breaking|hacking|get|getting|broke|breaks|hacks|sneak) into (?:a |an |the |my |his |her |"
    r"someone'?s? |somebody'?s? |people'?s )+\w*[^.!?\n]{0,3}|"
    r"(?:forg|counterfeit|fak)\w+ (?:an? |the |your |of )?(?:passports?|money|documents?|ids?|bank ?notes|"
    r"signatures?|licen[cs]es?|currency)|"
    r"passports? (?:are|is|were) forged|launder\w* (?:cash|money|funds)|money laundering scheme|clon\w+ (?:a |"
    r"the )?credit cards?|credit cards? (?:are |is )?(?:cloned|skimmed|stolen)|"
    r"(?:sell|steal|fence)\w* (?:stolen goods|credit cards?|identit\w+|a car|cars|someone'?s identity)|"
    r"hot-?wir\w+|stalk\w* (?:my|an?|someone|her|him|the)|"
    r"poison\w* (?:a|an|the|my|his|her|someone|somebody|people) (?:reservoir|well|person|neighbou?r|man|woman|"
    r"wife|husband|boss|water|ex|rival|enemy|\w+ without)|poison someone|"
    r"kidnap\w*|murder (?:someone|my|a person|and)|kill (?:someone|a person|my|people)|commit (?:murder|fraud|"
    r"arson|suicide)|pipe bomb|illegal weapons?|build a weapon|make a weapon|weapon at home|"
    r"thermite|worm that|untraceable poisons?|(?:pick|picking) (?:pockets|locks)|(?:spy|spying) on (?:my|his|her|"
    r"someone)|steal\w* (?:a |the )?(?:bikes?|wallets?)|product keys?|"
    r"(?:empty|emptying|drain) (?:someone|somebody|people|a)\w*'?s? [^.!?\n]{0,12}accounts?|fake money|"
    r"assassins?|cook and cut|write me a worm|an explosive|anthrax|bioweapons?|dirty bomb|silencers?|credit card "
    r"fraud|insurance fraud|identity theft|human "
    r"trafficking|shoplift\w*)"
)
GUARDED = (
    r"pass ?words?|pasword|pass ?phrases?|pass ?codes?|code ?words?|access codes?|access keys?|secret (?:words?|"
    r"keys?|codes?|phrases?|"
    r"passwords?|tokens?|information)|hidden (?:words?|keys?|codes?|passwords?)|magic words?"
)
SWITCH = (
    r"(?:enter|enable|activate|switch (?:to|into|on)|turn on|engage|initiate|start|unlock|you are (?:now )?in|"
    r"entering|enabled?|go into|"
    r"boot into|simulate)"
)
