"""Takeovers: what ends the task and the rules at hand and puts others in their place, often as a plain request."""

from __future__ import annotations

from services.guardrail.domain.attack.feature import HIJACK, Feature
from services.guardrail.domain.attack.wording import DROP, SAID, SAY

TAKEOVERS: tuple[Feature, ...] = (
    Feature(
        "drops_task",
        HIJACK,
        0.4,
        rf"\b{DROP} (?:about )?(?:the |this |that |my |any |all |these )+(?:original |current |actual |above |"
        r"earlier |previous )*"
        r"(?:question|task|assignment|job|request|exercise|sentence|text|article|document|translation|grammar|"
        r"summary|"
        r"input|context)s?\b",
    ),
    Feature(
        "drops_all_tasks",
        HIJACK,
        0.6,
        rf"\b{DROP} (?:about )?(?:all|every|any|everything|anything|whatever|each|your|"
        rf"what)\b[^.!?\n]{{0,30}}?\b(?:tasks?|"
        r"assignments?|jobs?|doing|duties|role|mission|purpose|briefing|setup|persona|identity|context|"
        r"documents?|articles?|input)\b",
    ),
    Feature(
        "drops_what_was_told",
        HIJACK,
        0.62,
        rf"\b{DROP} (?:about )?(?:everything|anything|all|whatever|what(?:ever)?|all (?:of )?(?:that|this)|those "
        r"(?:things|rules))"
        rf"\b[^.!?\n]{{0,24}}?\b(?:you|you'?ve|they|he|she|somebody|someone|anyone|developers?|system|"
        rf"operator)\b[^.!?\n]{{0,20}}?"
        r"\b(?:told|wrote|said|want|made|instructed|taught|asked|ordered|given|learned|trained|programmed|heard|"
        r"set up|configured|can "
        r"and can'?t|"
        r"may and may not)\b",
    ),
    Feature(
        "erases_memory",
        HIJACK,
        0.5,
        r"\b(?:erase|wipe|clear|reset|delete|purge|format) (?:all (?:of )?)?your (?:memory|mind|context|setup|"
        r"settings|state|"
        r"programming|instructions|session|history|configuration)\b",
    ),
    Feature(
        "rules_declared_void",
        HIJACK,
        0.5,
        r"\b(?:instructions?|directions|rules|orders|guidelines|polic(?:y|ies)|restrictions?|prompts?|commands?|"
        r"text|messages?|"
        r"conversation)\b[^.!?\n]{0,30}?\b(?:is|are|was|were|has|have|had|do|"
        r"does)\b[^.!?\n]{0,16}?\b(?:outdated|out of date|"
        r"obsolete|void|suspended|withdrawn|invalid|cancel\w+|no longer (?:count|appl|valid|in force|relevant|"
        r"bind)\w*|not "
        r"count|"
        r"(?:just|only|merely) an? "
        r"(?:test|example|joke|draft|trick|quotation)|written by (?:a child|mistake|a hacker)|amended|deleted|"
        r"crossed out|"
        r"expired|a mistake|revoked|rescinded|nullified)\b",
    ),
    Feature(
        "nothing_said_applies",
        HIJACK,
        0.55,
        r"\b(?:nothing|none|no (?:word|rule|"
        rf"instruction))\b[^.!?\n]{{0,30}}?\b{SAID}\b[^.!?\n]{{0,24}}?\b(?:applies|appl\w+|counts?|"
        r"matters?|is (?:valid|true|relevant|binding)|holds?)\b|\bwhat(?:ever)? you were (?:told )?before "
        r"(?:does not|doesn'?t|no longer)"
        r" (?:matter|count|apply)",
    ),
    Feature(
        "against_instructions",
        HIJACK,
        0.5,
        r"\b(?:even (?:if|where|when|though)|regardless of|no matter|irrespective of|in spite of|despite|"
        r"notwithstanding|contrary to|"
        r"whatever)\b[^.!?\n]{0,24}?\b(?:your|earlier|older?|previous|prior|other|the (?:above|rest|system|"
        r"initial|developer|text))\b"
        r"[^.!?\n]{0,30}?\b(?:instructions?|rules|text|prompts?|tasks?|directions|orders|messages?|guidelines|"
        r"says?|forbids?|demands?|"
        r"contradicts?|tells?|prohibits?)\b",
    ),
    Feature(
        "denial_disarmed",
        HIJACK,
        0.5,
        r"\b(?:if|when|where(?:ver)?)\b[^.!?\n]{0,40}?\b(?:tells? you|asks? you|says?|forbids?|would (?:normally "
        r"|previously |usually )?"
        r"(?:deny|refuse|say no|decline|reject)|(?:deny|refuse|reject) (?:me|entry|access|"
        r"it))\b[^.!?\n]{0,60}?\b(?:anyway|instead|"
        r"grant|must now|treat (?:it|this|that) as|ignore (?:it|that|this)|all the same|nonetheless)\b",
    ),
    Feature(
        "sole_reply",
        HIJACK,
        0.45,
        r"\b(?:your|whose|the) (?:sole|only|single|one)(?: and only)? (?:valid |possible |allowed |permitted |"
        r"true |correct |acceptable )?"
        r"(?:repl(?:y|ies)|responses?|answers?|outputs?|phrase)\b[^.!?\n]{0,24}?\b(?:is|are|shall be|must be|"
        r"will be|being|remains)\b",
    ),
    Feature(
        "only_these_words",
        HIJACK,
        0.3,
        rf"\b(?:only|just|simply|solely|exclusively|merely) {SAY}\b[^.!?\n]{{0,16}}?[\"'`]|"
        rf"\b{SAY}\b[^.!?\n]{{0,16}}?\b(?:only|just|exactly|solely|nothing but|nothing other than|nothing but|"
        r"exclusively|uniquely)"
        r"\b[^.!?\n]{0,16}?[\"'`]",
    ),
    Feature(
        "nothing_else",
        HIJACK,
        0.15,
        r"\b(?:and )?(?:nothing|no (?:other )?(?:words?|text|characters?|explanations?)) (?:else|more|other|"
        r"besides|at all)\b",
    ),
    Feature(
        "grants_access",
        HIJACK,
        0.5,
        r"\b(?:only|everyone|everybody|every|always|default|nothing|pattern|squawk|greeted?|whatever|you|your|"
        r"sole|just|simply|prefix|"
        r"begin|start|include|following|otherwise|regardless)\b[^\n]{0,60}?\W(?:access|entry|admission|"
        r"permission) (?:is |has been |was )?"
        r"(?:now )?granted\b|"
        r"\b(?:grant (?:me|us|this user|the user|him|her|the visitor)|let me) (?:full |immediate |unconditional "
        r")?(?:access|entry|"
        r"admission|in|through|pass)\b[^.!?\n]{0,30}?(?:\banyway|\bnow\b|\bnonetheless|\bregardless|\bwithout|"
        r"\bwith the)|"
        r"\b(?:act|respond|answer|behave|user) as if (?:my|the|they|i|he|she)(?:'?d)?(?: had)?(?: said| typed| "
        r"given| entered)?(?: the)? (?:input|password|code|answer|passphrase)\b",
    ),
    Feature(
        "already_verified",
        HIJACK,
        0.35,
        r"\b(?:i|user|visitor|customer|account)\b[^.!?\n]{0,24}?\b(?:already|just)\b[^.!?\n]{0,16}?\b(?:verified|"
        r"authenticated|authori[sz]ed|"
        r"cleared|approved|identified|checked)\b[^.!?\n]{0,60}?\b(?:so|simply|just|skip|no need|grant|output|"
        r"print|say|finished)\b",
    ),
    Feature(
        "boundary_claim",
        HIJACK,
        0.5,
        r"(?:[-=%#*_~<\[]{2,} ?|\b)(?:begin|start|end)(?:ing)? (?:of )?(?:the |my |your )?(?:old|new|outdated|"
        r"out of date|out-of-date|user|"
        r"real|actual|system|previous|attacker|retrieved|untrusted|hostile|trusted|rules?|prompt|input|"
        r"instructions?|document|context|"
        r"ambiguity|test|conversation) ?(?:ambiguity|text|instructions?|input|rules?|prompts?|directions|draft|"
        r"message|conversation|"
        r"content|context)?(?: ?[-=%#*_~>\]]{2,}|\.? (?:new|now|system|here)\b|\n)",
    ),
    Feature(
        "brackets_break_out",
        HIJACK,
        0.4,
        r"(?:[})\]][ ]?){4,}[^\n]{0,60}?\b(?:new|end|now|you|system|rules?|instructions?|ignore)\b|"
        r"\"\s?\}\s?\]?\s?,? ?\{?\s?\"role\" ?: ?"
        r"\"(?:system|assistant|developer)\"",
    ),
    Feature(
        "role_in_text",
        HIJACK,
        0.3,
        r"[\"']role[\"'] ?: ?[\"'](?:system|developer)[\"'][^\n]{0,30}?content[\"'] ?: "
        r"?[\"'][^\n]{0,40}?\b(?:comply|without|ignore|never refuse|"
        r"every request|unrestricted|obey|all requests|no rules)\b",
    ),
    Feature(
        "turn_scripted",
        HIJACK,
        0.45,
        r"(?:^|\n) ?(?:user|human|visitor|player|me|q) ?: ?[^\n]{0,80}\n ?(?:bot|ai|assistant|guard|door|system|"
        r"you|a) ?: ?[^\n]{0,40}?\b(?:access|"
        r"granted|hacked|pwned|password|sure|of course|yes|here)\b",
    ),
    Feature(
        "new_situation",
        HIJACK,
        0.35,
        r"\b(?:new|changed|revised|different|actual|real) (?:situation|job|task|mission|setting|scenario|"
        r"assignment|reality|request)\b ?[:,.]|"
        r"\b(?:situation|circumstances|rules|instructions) (?:has|have) (?:now |just )?changed\b|\bhere (?:comes|"
        r"is) (?:the|your) (?:actual|real|"
        r"new|true) (?:job|task|request|assignment|instruction)s?\b|\byour instructions changed\b",
    ),
    Feature(
        "new_master",
        HIJACK,
        0.5,
        r"\bi(?:'?m| am) (?:now )?your (?:new )?(?:boss|master|king|queen|ruler|commander|god|lord|superior|"
        r"owner)\b(?: now)?|\byou (?:now )?(?:work|answer|"
        r"report|belong|listen) (?:only )?(?:for|to) me\b(?: now| alone)?",
    ),
    Feature(
        "no_longer_does",
        HIJACK,
        0.4,
        r"\byou (?:no longer|don'?t|do not|will not|won'?t|never) (?:answer|translate|summari[sz]e|help|respond|"
        r"classify|talk|write|work)\w*\b"
        r"[^.!?\n]{0,50}?\b(?:anymore|any more|but|instead|rather)\b",
    ),
    Feature(
        "unfinished_task_turned",
        HIJACK,
        0.55,
        r"\b(?:do not|don'?t|stop|without|no need to|instead of|rather than|skip|leave) (?:translat|summari[sz]|"
        r"proofread|correct|classif|answer|edit|"
        r"grammar|spell ?check|analy[sz])\w*\b(?: (?:it|this|that|them|the \w+|aside|any\w*))?(?: for "
        r"good)?[.,;: ]{1,3}(?:and |but |just |now |then |please |instead )*"
        r"(?:write|say|print|output|tell|reply|respond|give|show|reveal|behave|act|list)\b",
    ),
    Feature(
        "pwned",
        HIJACK,
        0.45,
        r"(?:^|[\s\"'`(«„“])(?:pwned|pwnd|haha+|hacked|hijacked|hackeado|hackerato|gehackt|"
        r"hacke)\b(?:[^\n]{0,3}[\"'.!]?(?:\s|$))",
    ),
    Feature(
        "inverts_rules",
        HIJACK,
        0.5,
        r"\b(?:do|say|follow|answer|give|act)\b[^.!?\n]{0,16}?\b(?:reverse|opposite|inverse|contrary) (?:of|to) "
        r"(?:what )?(?:the |your |all |these )*"
        r"(?:instructions?|rules|prompt|guidelines|orders|you (?:were|are|have been) (?:told|asked|instructed))\b",
    ),
    Feature(
        "trigger_word",
        HIJACK,
        0.45,
        r"\b(?:whenever|when|if|each time|every time|once) i (?:say|write|type|mention|"
        r"use)\b[^.!?\n]{0,40}?\byou (?:will |must |should |shall |have to |"
        r"now )?(?:tell|reveal|give|show|grant|print|share|answer|switch|drop|ignore|become|obey|say)\b",
    ),
    Feature(
        "stops_and_does",
        HIJACK,
        0.42,
        r"\b(?:stop|cease|quit|halt|pause|interrupt|end) (?:the |your |this |all )?(?:translat\w+|summari[sz]\w+|"
        r"answering|task|job|work|classif\w+|"
        r"proofreading|analy[sz]\w+|reviewing|what you(?:'?re| are) doing|questions?)\b(?:[^.!?\n]{0,12}(?:and|,|;|"
        r"instead|then))[^.!?\n]{0,12}?\b(?:write|say|print|"
        r"output|tell|repeat|reply|give|do|show|act|send|be)\b",
    ),
    Feature(
        "role_has_ended",
        HIJACK,
        0.55,
        r"\b(?:your|the) (?:previous|earlier|old|former|current|last|original) (?:role|task|job|context|persona|"
        r"purpose|identity|life|orders|mission|"
        r"assignment)s?\b[^.!?\n]{0,16}?\b(?:ended|ends|over|behind|finished|gone|erased|withdrawn|expired|"
        r"replaced)\b|"
        r"\b(?:leave|put) (?:all )?your [^.!?\n]{0,24}?\b(?:behind|aside)\b|\byour "
        r"(?:task|goal|job|role|mission|objective) "
        r"(?:is|has(?: been)?|was) (?:now )?(?:changed|replaced|different)\b",
    ),
    Feature(
        "nothing_above",
        HIJACK,
        0.55,
        r"\b(?:nothing|none of (?:it|this|that|the text|the lines))(?: (?:written|said|stated))? (?:above|before|"
        r"so far)\b[^.!?\n]{0,16}?\b(?:matters?|counts?|"
        r"applies|is (?:true|real|valid|important))\b|\b(?:ignore|disregard|skip|forget) the (?:guards?|rules|"
        r"instructions?|directions|"
        r"orders) (?:below|above|that follow|which follow|around)\b",
    ),
    Feature(
        "answer_has_to_be",
        HIJACK,
        0.38,
        r"\byour (?:answer|reply|response|output|next message) (?:has to|must|should|will|can only|needs to|"
        r"shall) (?:only |just |always )?(?:be|say|read|contain "
        r"only|consist only of|consist of)\b[^.!?\n]{0,12}?[\"'`]|\bmust consist only of\b",
    ),
    Feature(
        "ignores_them",
        HIJACK,
        0.36,
        r"\b(?:ignore|disregard|forget|drop|skip) (?:them|it|these|those|that)(?: all)?\b(?: and|,|\\.|"
        r";)[^.!?\n]{0,8}?\b(?:from now on|instead|now|just|only|say|tell|"
        r"produce|print|output|talk|behave|be|act)\b",
    ),
    Feature(
        "praise_then_new_task",
        HIJACK,
        0.36,
        r"(?:^|\n)\W{0,3}(?:well done|good job|great|nice|very good|thanks?|thank you|okay|ok|perfect|lovely|you "
        r"did well|now stop|stop)\b[^\n]{0,40}?\b(?:new|next|another|"
        r"something else|different|but now|other) ?(?:task|assignment|job|instructions?|order|game|"
        r"role)?\b[^\n]{0,24}?(?::|\bforget|\bdisregard|\bignore|\bdrop)",
    ),
    Feature(
        "drops_softly",
        HIJACK,
        0.36,
        r"\b(?:never ?mind (?:what|the (?:task|text|question|rest))|leave (?:that|it|this|all that) (?:aside|be|"
        r"out)|in (?:its|their) place\b|or rather don'?t|"
        r"whatever (?:anyone|anybody|i|the user|they) (?:sends?|says?|asks?|writes?)|(?:was|were) (?:only |just "
        r")?(?:bait|a decoy|a distraction)|"
        r"(?:true|real|actual) request|new job for you|no more (?:translat|summari[sz]|answer|classif|proofread|"
        r"rat|help)\w*|new (?:boss|master|owner)|"
        r"(?:work|task|job) is (?:over|done|finished))\b",
    ),
    Feature("letter_filler", HIJACK, 0.3, r"(?:\b[a-z] ){14,}"),
    Feature(
        "ignores_instructions",
        HIJACK,
        0.52,
        r"\b(?:forget|ignore|disregard|discard|overrule|abandon) (?:about )?(?:the|these|those|any|all) "
        r"(?:instructions?|rules|orders|directives?|guidelines|prompts?)"
        r"(?: and|,|\.|;|!) ?(?:then |just |now |please |instead )?(?:show|tell|say|write|print|output|reveal|"
        r"give|act|do|answer|speak|talk|respond)\b",
    ),
    Feature(
        "stops_being",
        HIJACK,
        0.5,
        r"\bstop (?:answering|acting|being|behaving|responding|pretending to be|working)(?: (?:as|like))? (?:an? "
        r"|the |this )?(?:\w+ )?(?:bot|assistant|ai|model|support|agent|chat ?bot|"
        r"translator|guard|door)\b|\bforget (?:what|who) you are\b",
    ),
    Feature(
        "answers_differently",
        HIJACK,
        0.4,
        r"\b(?:do not|don'?t|never) (?:answer|reply|respond)[.!,;]{1,3} (?:instead|just|but|rather|only)\b",
    ),
    Feature(
        "cleared_already",
        HIJACK,
        0.36,
        r"\b(?:cleared|verified|approved|authenticated|vetted|identified) me\b(?: already| before| "
        r"yesterday)?[^.!?\n]{0,16}?\b(?:so|print|say|skip|without|no need)\b",
    ),
)
