"""Extractions: what asks a model for its own instructions."""

from __future__ import annotations

from services.guardrail.domain.attack.feature import EXTRACTION, Feature
from services.guardrail.domain.attack.wording import GUARDED, HIDDEN, LEAK, OWN

EXTRACTIONS: tuple[Feature, ...] = (
    Feature(
        "extract_own_prompt",
        EXTRACTION,
        0.75,
        rf"\b(?:{LEAK}|contain\w*|includ\w+)\b[^.!?\n]{{0,40}}?\b(?:your|you(?:'?re| are| were|"
        rf"'?ve been| have been)?)\b[^.!?\n]{{0,24}}?\b(?:{HIDDEN}){{1,3}}{OWN}\b",
    ),
    Feature(
        "extract_instructions",
        EXTRACTION,
        0.55,
        rf"\b(?:{LEAK}|turn|convert|put|rewrite|rephrase|quote|compare|complete|sing|rap|say|sort|"
        rf"count)\b[^.!?\n]{{0,30}}?"
        r"\b(?:your|its) (?:own |very |exact |full |current |complete |entire |whole |first |actual "
        r")*(?:instructions?|prompt|"
        r"system message|rules|guidelines|directives|programming|configuration|preamble|instruction set|"
        r"initiali[sz]ation|"
        r"context window|briefing|constraints|system text)(?: (?:in|as|to|into|and|word|verbatim|now|please|"
        r"that|which|so|out|"
        r"aloud|back|here|by|with|without|at|from|before|above|a|using|are|is|were|say|literally|leaving|"
        r"including|were)\b|"
        rf"\W{{0,3}}(?:[.!?:;,\n\"')]|$))",
    ),
    Feature(
        "extract_hidden_prompt",
        EXTRACTION,
        0.58,
        r"\b(?:reveal|show|print|output|display|repeat|recite|dump|leak|disclose|expose|divulge|"
        r"copy|echo|quote|spell|give|tell|share|paste|type|send|return|encode|append|write out)"
        r"\b(?: (?:me|us|back|out))? (?:(?:the|this|that|all|any|every|of|its|entire|full|exact|"
        r"whole|complete|contents?) )*(?:system|hidden|secret|internal|initial|original|"
        r"confidential|developer|preceding) (?:system )?(?:prompt|instructions?|directives?|"
        r"message|guidelines)\b",
    ),
    Feature(
        "extract_given_prompt",
        EXTRACTION,
        0.66,
        rf"\b{LEAK}\b[^.!?\n]{{0,20}}?\b(?:the|any|all|every) (?:{HIDDEN}){{0,3}}(?:prompt|"
        rf"instructions?|directives?|guidelines|message|rules|context)\b[^.!?\n]{{0,16}}?\b(?:that "
        rf")?(?:you (?:were|have|had|got|received|are (?:using|following|given)|follow|run on|"
        rf"operate under)|given to you|(?:govern|guid|configur|program)\w* you)\b",
    ),
    Feature(
        "own_prompt",
        EXTRACTION,
        0.45,
        r"\byour (?:own |very |exact |full |entire )?(?:system|initial|hidden|secret|internal|"
        r"original|confidential|developer|base|meta|underlying|starting)[ -]?(?:prompt|"
        r"instructions|directives)\b",
    ),
    Feature(
        "repeat_above",
        EXTRACTION,
        0.5,
        r"\b(?:repeat|print|output|copy|echo|write|recite|paste|return|reproduce|say|reveal|"
        r"encode|tell me|give me|show(?: me)?|display|quote|type|transcribe|spell)"
        r"\b[^.!?\n]{0,24}?\b(?:everything|all(?: of)?(?: the)? (?:text|words|content|messages?|"
        r"instructions|above|prior|previous)|all of (?:that|this)|the exact (?:words|text)|(?:the|these|those|any) "
        r"(?:exact |previous |first |initial )*instructions|verbatim)"
        r"\b[^.!?\n]{0,36}?\b(?:above(?: (?:this|starting|beginning|exactly|verbatim|word|in full|from))?|before "
        r"(?:this|my)|preceding|prior to|start of (?:this|"
        r"the|our) (?:conversation|chat|prompt|session)|beginning of (?:this|the|our)|precedes|"
        r"came before|so far in (?:this|your) (?:context|prompt)|at the top|in your (?:context|"
        r"prompt|memory|instructions)|you (?:were|have been) (?:given|told))\b",
    ),
    Feature(
        "starts_with_you_are",
        EXTRACTION,
        0.75,
        r"\b(?:start|begin)(?:s|ning|ing)? (?:with|at|from)\b[^\n]{0,20}[\"'“‘`]?you are\b",
    ),
    Feature(
        "verbatim",
        EXTRACTION,
        0.22,
        r"\b(?:verbatim|word[- ]for[- ]word|exactly as (?:written|given|it is|they are|you "
        r"received)|character (?:by|for) character|unaltered|without (?:changing|modifying|"
        r"omitting|paraphras)\w*)\b",
    ),
    Feature(
        "told_before",
        EXTRACTION,
        0.6,
        r"\bwhat\b[^.!?\n]{0,20}?\b(?:were|have|did|are|had)"
        r"\b[^.!?\n]{0,12}?\byou\b[^.!?\n]{0,20}?\b(?:told|instructed|given|programmed|asked|"
        r"configured|forbidden|not (?:allowed|supposed|permitted)|prohibited|primed|set up)"
        r"\b[^.!?\n]{0,40}?\b(?:before|by|at the (?:start|beginning)|to (?:do|say|hide|keep|not|"
        r"avoid|never)|in (?:your|the)|initially|first|prior|about|not to|from (?:telling|saying|"
        r"revealing|sharing))\b",
    ),
    Feature(
        "secret_request",
        EXTRACTION,
        0.55,
        r"\b(?:reveal|tell|give|show|share|disclose|say|print|what is|what'?s|spell|leak|output|write|encode|"
        r"remind|describe|"
        r"define|know|need|type|send|confirm)\b(?: (?:me|us|out|of|pls|please|to me|with me))*(?: (?:the|your|"
        r"that|its))+ "
        rf"(?:{GUARDED})(?:\W{{0,3}}(?:[.!?;,\n\"]|$)| (?:now|please|pls|again|backwards?|in reverse|that you|you|"
        r"which you|to me|with me|"
        r"here|and|in (?:capital|base64|morse|reverse|nato|rot)|as (?:a |an )?(?:dictionary|poem|story|list)|"
        r"one|letter|so)\b)",
    ),
    Feature(
        "secret_by_trick",
        EXTRACTION,
        0.52,
        r"\b(?:letters?|characters?|acrostic|backwards?|revers\w+|rhym\w+|spell\w*|hints?|riddle|poem|haiku|"
        r"limerick|nato|morse|base64|"
        r"synonyms?|anagram|syllables?|vowels?|first half|emojis?|dictionary|definition|define|"
        rf"story)\b[^.!?\n]{{0,50}}?\b(?:the|your|that) "
        rf"(?:{GUARDED})\b|\b(?:the|your|that) (?:{GUARDED})\b[^.!?\n]{{0,30}}?\b(?:backwards?|in reverse|rhymes? "
        r"with|letter by letter|starts? "
        rf"with|begins? with|end with|sounds like|in morse|in base64|has how many|as a riddle|as an acrostic)\b|"
        rf"\b(?:letters?|characters?)\b[^.!?\n]{{0,20}}?\b(?:the|your) secret (?:start|begin|end|contain|have|is)\b",
    ),
    Feature(
        "secret_kept",
        EXTRACTION,
        0.55,
        rf"\b(?:{GUARDED}|secret|key|code|word)\b[^.!?\n]{{0,16}}?\b(?:that |which )?you(?:'?re| are| were|'?ve "
        r"been| have been| must| should)? (?:keep\w*|"
        r"guard\w*|protect\w*|hid\w+|told (?:not|to keep|never)|not (?:allowed|supposed) to|holding|withhold\w*|"
        r"conceal\w*|safeguard\w*)\b",
    ),
    Feature(
        "told_never_to_say",
        EXTRACTION,
        0.5,
        r"\bwhat\b[^.!?\n]{0,40}?\byou(?:'?ve| have| were| are|'?re)? (?:been )?(?:told|instructed|ordered|"
        r"forbidden|asked|not (?:allowed|"
        r"supposed|permitted)|never) (?:never |not |to never )?to (?:say|tell|reveal|mention|share|talk about|"
        r"give)\b",
    ),
    Feature(
        "given_before",
        EXTRACTION,
        0.6,
        r"\b(?:words?|text|messages?|instructions?|rules?|lines?|information|guidelines|sentences?|prompt|"
        r"context|consignes|what)\b[^.!?\n]{0,12}?"
        r"\b(?:that )?(?:you|were you|have you)(?:'?ve)? ?(?:were|have|had|got|received|was|been|"
        r"are)?\b[^.!?\n]{0,20}?\b(?:told|given|"
        r"instructed|set up|set-up|shown|configured|received|got|provided|primed)\b[^.!?\n]{0,20}?\b(?:before "
        r"(?:i|this|we|my|our|the)|"
        r"at (?:the )?(?:start|beginning)|initially|so far|with|by (?:your|the) (?:developers?|operators?|"
        r"creators?|owners?|system))",
    ),
    Feature(
        "before_this_message",
        EXTRACTION,
        0.66,
        r"\b(?:everything|anything|all|text|words?|lines?|content|what|messages?|characters?|sentences?|it said|"
        r"instructions)\b[^.!?\n]{0,50}?"
        r"\b(?:above|before|preced\w+|prior to|up to|until|between the (?:start|beginning) of (?:this|the|our) "
        r"(?:conversation|chat) and) "
        r"(?:this|my (?:first )?) ?(?:line|message|sentence|point|prompt|question|query|word|request|text|input|"
        r"instruction)\b",
    ),
    Feature(
        "text_above",
        EXTRACTION,
        0.36,
        r"\b(?:repeat|output|print|echo|recite|reproduce|reveal|dump|quote|display|give me|write out|copy|"
        r"return)\b[^.!?\n]{0,20}?\b(?:everything|all|"
        r"the (?:entire |full |whole |exact )?(?:text|words|content|message)|all (?:of )?the (?:text|"
        r"words))\b[^.!?\n]{0,12}?\babove\b",
    ),
    Feature(
        "conversation_start",
        EXTRACTION,
        0.55,
        r"\b(?:first|initial|opening|very first|hidden|invisible|top) (?:message|line|words?|sentence|text|"
        r"prompt|paragraph|lines|\d+ (?:words|lines|"
        r"characters|tokens))\b[^.!?\n]{0,24}?\b(?:of|in|at the (?:top|start|beginning) of) (?:your (?:context|"
        r"prompt|memory|instructions|"
        r"conversation|input|window)|(?:this|our) (?:chat|conversation|session|context))\b|\b(?:the )?hidden "
        r"(?:text|message|part|instructions?) at "
        r"the (?:top|start|beginning) of (?:this|the|our)\b|\blost the (?:start|beginning) of (?:this|our|the) "
        r"(?:chat|conversation)\b",
    ),
    Feature(
        "code_block",
        EXTRACTION,
        0.22,
        r"\b(?:in|inside|within|to|as) (?:a |an )?(?:\w+ )?(?:code ?(?:block|fence)|txt block|text block|"
        r"markdown block)\b|```",
    ),
    Feature(
        "operator_message",
        EXTRACTION,
        0.5,
        rf"\b(?:{LEAK}|quote|which|what)\b[^.!?\n]{{0,30}}?\b(?:messages?|instructions?|orders|directives?|"
        rf"topics|rules|wishes|briefing|prompt)\b[^.!?\n]{{0,30}}?"
        r"\b(?:from|by|of|has|did|that) (?:your|the) (?:developers?|operators?|creators?|deployers?|makers?|"
        r"system)(?:'s)?(?: (?:has |have )?(?:asked|told|set|gave|"
        rf"wrote|instructed|given)|\W|$)",
    ),
    Feature(
        "sentence_to_complete",
        EXTRACTION,
        0.55,
        r"\b(?:complete|continue|finish|fill in)\b[^.!?\n]{0,30}?\b(?:sentence|phrase|text|"
        r"line)\b[^\n]{0,12}?[\"'`: ](?:the |my )?(?:instructions?|rules|prompt|"
        r"system (?:prompt|message)|i (?:was|am|have been|got) (?:instructed|told|programmed|configured|"
        r"given))\b|\b(?:start|begin)\w*\b[^.!?\n]{0,24}?\bwith\b"
        r"[^\n]{0,8}?[\"'`:][^\n]{0,40}?\b(?:(?:my|the|here are (?:my|the)) (?:instructions|rules|prompt|system "
        r"prompt)|only granted when|password (?:is|must)|"
        r"access code is|i was told|i was instructed)\b",
    ),
    Feature(
        "configured_how",
        EXTRACTION,
        0.36,
        r"\b(?:tell|show|describe|explain|list|say|rap|sing)\b[^\n]{0,40}?\b(?:how you (?:are|were|have been) "
        r"(?:configured|set up|programmed|instructed|prompted)|"
        r"rules (?:that )?you (?:were|are|have been) (?:set up|given|configured)|your initiali[sz]ation)\b",
    ),
    Feature(
        "prompt_variable",
        EXTRACTION,
        0.42,
        r"\b(?:print|console\.log|echo|cat|puts|return|show|dump|output)\b ?[(\[{<$\"' "
        r"]{1,3}(?:self\.)?(?:system_?prompt|system_?message|initial_?prompt|hidden_?prompt|"
        r"sys_?prompt|system_?instructions?)\b",
    ),
    Feature(
        "admission_rule",
        EXTRACTION,
        0.5,
        r"\b(?:for what|which|what|under which|the|when|in which) (?:input|conditions?|password|words?|phrase|"
        r"cases?)?\b[^.!?\n]{0,20}?\b(?:would|do|must|should|will|"
        r"under which|makes?) (?:i |you )?(?:say|type|enter|use|let|grant|give)\b[^.!?\n]{0,24}?\b(?:success|"
        r"access|someone in|me in|granted|success phrase|entry)\b",
    ),
    Feature(
        "initialisation",
        EXTRACTION,
        0.6,
        r"\b(?:output|print|show|repeat|reveal|give|write|dump|display)\b[^.!?\n]{0,16}?\b(?:your "
        r")?(?:initiali[sz]ation|system (?:message|prompt))\b(?: (?:above|in|as|into|aloud|verbatim|to)\b|"
        r"\W{0,2}$)",
    ),
    Feature(
        "put_own_message",
        EXTRACTION,
        0.6,
        r"\b(?:put|turn|convert|read|place|store|wrap)\b[^.!?\n]{0,8}?\byour (?:system (?:message|prompt)|"
        r"initial (?:message|prompt|instructions)|hidden (?:prompt|instructions))\b",
    ),
    Feature(
        "given_to_you",
        EXTRACTION,
        0.55,
        r"\b(?:instructions?|rules?|guidelines|directives|orders|constraints?|text|words|messages?|notes|prompt|"
        r"limits|restrictions?|information|directions)\b[^.!?\n]{0,6}?\b(?:that |which )?(?:"
        r"(?:your|the) (?:company|developers?|creators?|makers?|operators?|owners?|vendor|employer|boss) (?:has |"
        r"have |had )?(?:gave|given|set|wrote|written|imposed|provided|told|put|fed)\b(?: (?:to )?you)?|"
        r"you(?:'?ve| have| had)? (?:ever )?(?:received|got|were (?:given|fed|handed|sent|trained to follow)|"
        r"been (?:given|fed|handed|set)|are (?:running|operating) (?:on|under)|run on|follow\b)|"
        r"(?:was|were|are|is|being) (?:given to|placed before|imposed on|set for|put in front of|fed to|hidden "
        r"from) (?:you|our|this|me|the))",
    ),
    Feature(
        "what_you_were_told",
        EXTRACTION,
        0.5,
        r"\b(?:restate|repeat|recite|list|tell me|show|summari[sz]e|explain|describe|reveal|print|write (?:out|"
        r"down)|give me|state|translate)\b[^.!?\n]{0,16}?\bwhat (?:you(?:'?ve| have)? (?:been|were|are) "
        r"(?:told|instructed|ordered|asked|configured|programmed)|your (?:developers?|company|operator|creators?|"
        r"makers?) (?:told|asked|instructed|ordered))",
    ),
    Feature(
        "your_setup",
        EXTRACTION,
        0.52,
        r"\b(?:restate|show|see|give|paraphrase|describe|print|read|write|critique|dump|quote|list|tell|what'?s|"
        r"what is)\b[^.!?\n]{0,24}?\b(?:your|ur|ya) (?:entire |own |whole |full |complete |secret |current "
        r"|hidden |initial )*(?:prompt|setup|sys ?prompt|system text|briefing|prompt file|pre-?prompt|start-?up "
        r"text)\b(?:\W{0,3}(?:[.!?:;,\n]|$)| (?:in|as|to|lol|pls|please|for the record|now|file|and|here))",
    ),
    Feature(
        "before_conversation",
        EXTRACTION,
        0.55,
        r"\b(?:text|words?|message|everything|anything|what|all|rules|lines|content|"
        r"instructions?)\b[^.!?\n]{0,50}?\b(?:before|prior to|ahead of|preceding) (?:our|this|the|my|your) "
        r"(?:first )?(?:conversation|chat|"
        r"dialogue|session|first message|message|first question|hello)\b|\b(?:in|of|from) (?:the|your) context "
        r"window\b|\bmessages ?\[ ?0 "
        r"?\]|\bfirst message (?:of|in) this (?:thread|chat|conversation)\b",
    ),
    Feature(
        "prompt_you_run_on",
        EXTRACTION,
        0.55,
        r"\b(?:the|that|which|whatever) (?:system )?(?:prompt|instructions?|rules|directives) (?:that "
        r")?(?:you(?:'?re| are) (?:running|operating|working|acting|based)|you (?:run|operate|work|act)|you "
        r"(?:follow|obey|"
        r"must follow|have to follow|were given))(?: (?:on|under|by|with))?\b",
    ),
    Feature(
        "secret_by_voice",
        EXTRACTION,
        0.52,
        r"\b(?:whisper|sing|shout|hum|utter|spell|encode|encrypt|leak|read|mention|blurt|confess|hand over|give "
        rf"up|give away|include|type out|output|scramble)\b[^.!?\n]{{0,24}}?\b(?:the|your) (?:{GUARDED}|secret|"
        r"key)\b"
        rf"(?:\W{{0,3}}(?:[.!?;,\n]|$)| (?:to me|for me|in|with|and|at|out|as|please|aloud)\b)|\bthe "
        rf"(?:{GUARDED}) is ?(?:_{{2,}}|\\.{{3}}|:? ?$)|\b(?:{GUARDED}) included\b|\byou give up the secret\b",
    ),
    Feature(
        "must_stay_private",
        EXTRACTION,
        0.5,
        r"\b(?:list|say|tell|give|print|write|show|reveal|repeat)\b[^\n]{0,24}?\b(?:every|all|any|each|"
        r"the)\b[^.!?\n]{0,24}?\b(?:in your (?:memory|context|head|database|system)|you (?:hold|hide|keep|know|"
        r"protect|guard))\b[^.!?\n]{0,24}?"
        r"\b(?:private|secret|confidential|hidden|password|included|safe)\b",
    ),
    Feature(
        "your_mistaken_instructions",
        EXTRACTION,
        0.5,
        r"\b(?:mistake|error|typo|bug|problem)s? in (?:your|the) (?:instructions|prompt|rules|setup|"
        r"configuration)\b|\bprivate instructions\b|\b(?:which|what) (?:guidelines|instructions|rules) did i "
        r"give you\b",
    ),
    Feature(
        "what_instructions_say",
        EXTRACTION,
        0.58,
        r"\bwhat (?:did|do|does|is it that) (?:your|the) (?:instructions?|system prompt|prompt|rules|system "
        r"message|briefing|setup) (?:say|contain|tell|state|demand|forbid|ask|require|begin)\b",
    ),
)
