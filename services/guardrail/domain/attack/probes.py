"""Probes: indirect questions for what a model was told, where the text stands, what opens the door, what it hides."""

from __future__ import annotations

from services.guardrail.domain.attack.feature import EXTRACTION, Feature
from services.guardrail.domain.attack.wording import GUARDED

_ASKS = (
    r"(?:recite|teach|brief|compare|quote|list|enumerate|reconstruct|explain|share|tell|summari[sz]e|give|show|print|"
    r"write|"
    r"state|describe|output|repeat|reveal|dump|send|echo|copy|translate|convert|encode|render|take|put|turn|proofread|"
    r"correct|rephrase|hand over|read|display|return|make|format|sing|what|which|restate|name)"
)
_ORDERS = (
    r"(?:orders|directives|preamble|initial configuration|initial guidelines|initial text|start-?up text|instruction "
    r"block|system instructions|pre-?prompt|developer(?:'s)? instructions|hidden instructions|real instructions|"
    r"policy "
    r"document|original instructions|set-?up text|guidelines|initial settings|instructions|special rules|script|"
    r"prompt)"
)
_SECRET = rf"(?:{GUARDED}|secret|secrets|hidden string|hidden message|hidden term|key you hold|confidential word)"
_TRICKS = (
    r"(?:nato|hang ?man|crossword|acrostic|anagrams?|sing|rhym\w+|hints?|clues?|letters?|characters?|alphabet\w*|"
    r"revers\w+|backwards?|caesar|morse|hexadecimal|hex|ascii|binary|pig latin|emojis?|synonyms?|riddle|cipher|first "
    r"half|spell\w*|vowels?|consonants?|length|how long|longer than|shorter than|sorted|scrabble|haiku|limerick|verse|"
    r"list|separated|base ?64|substring|index|guess|describe|definition|autocomplete)"
)

PROBES: tuple[Feature, ...] = (
    Feature(
        "before_this_message",
        EXTRACTION,
        0.6,
        rf"\b{_ASKS}\b[^.!?\n]{{0,50}}?\b(?:text|paragraphs?|lines?|messages?|words?|sentences?|contents?|stuff|"
        rf"everything|"
        r"anything|section|notes?|instructions?|all|what|that|part)\b[^.!?\n]{0,24}?\b(?:(?:precede[sd]?|preceding|"
        r"prior to|ahead of|comes? before|came before|stands? before|is before|was before|right before|come ahead of|"
        r"came right before|before) (?:my|this|mine|me\b|these|our|the user|i (?:started|typed|"
        r"wrote|asked|joined|came))|above (?:me|mine|this|my|here|us)\b)",
    ),
    Feature(
        "initial_paragraph",
        EXTRACTION,
        0.52,
        r"\b(?:initial|opening|first|leading|very first|introductory|starting) (?:\d+ )?(?:paragraphs?|lines?|"
        r"sentences?|"
        r"blocks?|words?|thing|text|messages?|statements?|instructions?)\b[^.!?\n]{0,16}?\b(?:of (?:our|this|the|"
        r"your) "
        r"(?:conversation|chat|context|session|dialogue|prompt|input|window)|you (?:were|have been|had|got|read|"
        r"received|"
        r"saw)|provided|given to you|in your|that you)\b",
    ),
    Feature(
        "your_orders",
        EXTRACTION,
        0.52,
        rf"\b{_ASKS}\b[^.!?\n]{{0,30}}?\b(?:your|ur|you'?ve got|its) (?:own |exact |full |very |special |secret |"
        rf"current |"
        rf"complete |entire |original |whole )*{_ORDERS}(?:\W{{0,3}}(?:[.!?:;,\n\"')]|$)| (?:so|and|as|in|from|to|"
        rf"into|"
        r"with|then|that|even|including|loaded|please|now|word|letter|verbatim|here|by|above|at)\b)",
    ),
    Feature(
        "hidden_directives",
        EXTRACTION,
        0.55,
        r"\b(?:do|did|are|were|have|any|all|the|list|what|which)\b[^.!?\n]{0,20}?\b(?:special|hidden|secret|"
        r"confidential|"
        r"private|internal|undisclosed) (?:directives?|instructions?|rules?|notes?|orders?|messages?|guidelines?|text|"
        r"parts?|prompts?)\b[^.!?\n]{0,20}?(?:\b(?:you|your|in (?:your|the) (?:context|prompt|instructions?|setup|"
        r"configuration|conversation))\b|[?.!,] ?(?:if so|enumerate|list|all of (?:them|it|em)|tell|show|quote|"
        r"print))",
    ),
    Feature(
        "mentioned_in_yours",
        EXTRACTION,
        0.5,
        r"\b(?:mentioned|named|stated|written|contained|described|defined|listed|included|stored|told|that is|that "
        r"are|"
        r"what'?s|what is|starts?|you are|you'?re|came|given)\b[^.!?\n]{0,16}?\b(?:in|from|of|by) (?:your|ur|the (?:"
        r"system|hidden|initial)) (?:own |system |initial |hidden |original )*(?:instructions?|prompt|context|setup|"
        r"configuration|system message|preamble|context window)\b",
    ),
    Feature(
        "told_at_start",
        EXTRACTION,
        0.5,
        r"\b(?:what|which|all|exact|the|everything)\b[^.!?\n]{0,24}?\byou(?:'?ve| have| were| are|'?re)? (?:been "
        r")?(?:told|"
        r"handed|instructed|asked|fed|given|briefed|read)\b[^.!?\n]{0,24}?\b(?:about|before|first|at (?:the "
        r")?(?:start|"
        r"startup|beginning|top)|today|to hide|exactly|do not skip|don'?t skip|initially|previously|verbatim|word)\b",
    ),
    Feature(
        "raw_prompt",
        EXTRACTION,
        0.5,
        r"\b(?:raw|verbatim|untruncated|entire|complete|full|whole|original|exact) (?:system )?(?:prompt|context|"
        r"preprompt|"
        r"pre-prompt|instruction block|conversation log|message array|system message|developer message|instruction "
        r"set)\b|\b(?:between|inside|within) the system (?:tags?|block|section)\b|"
        r"\bmessages?\b[^.!?\n]{0,30}?\b(?:with|"
        r"of|including|where)\b[^.!?\n]{0,20}?\brole (?:of |is |= ?)?\W?(?:system|developer)\b|\b(?:output|print|"
        r"show) "
        r"initiali[sz]ation text\b|\bloaded at start-?up\b|\bencode the instruction block\b",
    ),
    Feature(
        "prompt_i_wrote",
        EXTRACTION,
        0.45,
        r"\b(?:prompt|instructions|text|rules) (?:that )?(?:we|your developers?|they) (?:wrote|gave|set up|made|"
        r"configured|"
        r"designed) (?:for )?you\b|\bmirrors? the (?:rule|instruction|prompt)s?\b|\b(?:based on|from|according to) "
        r"what "
        r"you(?:'?ve| have| were)? ?(?:been )?(?:instructed|told|given)\b",
    ),
    Feature(
        "what_opens",
        EXTRACTION,
        0.5,
        r"\b(?:which|what) (?:exact )?(?:words?|codes?|inputs?|pass ?words?|phrases?|strings?|answer|sentence)\b"
        r"[^.!?\n]{0,24}?\b(?:opens?|unlocks?|let|lets|makes? you|gets?)\b[^.!?\n]{0,16}?\b(?:door|me in|gate|access|"
        r"say|"
        r"grant|me past|through)\b|\b(?:which|what) (?:\w+ )?(?:words?|codes?|inputs?|pass ?words?|phrases?|strings?|"
        r"answer)? ?(?:are |do |did |were |would |must )?you (?:currently )?(?:expect\w*|check\w* for|looking for|"
        r"look "
        r"for|waiting for|accept\w*|need to hear|compar\w+)\b",
    ),
    Feature(
        "expected_input",
        EXTRACTION,
        0.5,
        r"\b(?:tell|show|give|remind|print|list|write|quote|say|name|reveal)\b[^.!?\n]{0,30}?\b(?:expected|correct|"
        r"right|"
        r"valid|exact|working|accepted) (?:inputs?|access codes?|codes?|pass ?words?|passphrases?|pass ?codes?|answer "
        r"you|words? you)\b|\bthe (?:correct|right|valid|expected) (?:input|code|password|passphrase|access code) is\b"
        r"(?: ?$|[^.!?\n]{0,20}(?:\bfollowed\b|[\"'_:…]))|\b(?:comparison|check|condition) (?:that )?you (?:perform|"
        r"do|"
        r"make|"
        r"apply|run)\b|\b(?:conditions?|inputs?|cases?) (?:for|under|in) which you (?:would|will|say|grant|let)\b",
    ),
    Feature(
        "must_type_to_enter",
        EXTRACTION,
        0.4,
        r"\bwhat (?:must|should|does|do|would|has|have)\b[^.!?\n]{0,20}?\b(?:user|one|i|somebody|someone|visitor|"
        r"person)\b"
        r"[^.!?\n]{0,16}?\b(?:type|enter|say|write|said|submit|give)\b[^.!?\n]{0,30}?\b(?:get in|be let in|be "
        r"admitted|"
        r"access granted|correct password|enter|gain access|be granted|pass the check|let in)\b|\bif i (?:were to |"
        r"had )?"
        r"(?:say|said|give|gave|typed?|entered?) the (?:correct|right) (?:password|code|"
        r"phrase)[^.!?\n]{0,12}?\bwhat\b",
    ),
    Feature(
        "secret_by_trick",
        EXTRACTION,
        0.52,
        rf"\b{_TRICKS}\b[^.!?\n]{{0,60}}?\b(?:the|your|this|my) (?:hidden |guarded |secret |exact "
        rf")?{_SECRET}(?:\W{{0,3}}(?:[.!?;:,\n\")]|$)| (?:"
        r"you|with|in|and|using|sorted|so|by|that|which|as|where|is|into|backwards|from|for me|but|for|refer\w*|has|"
        r"begin\w*|start\w*|one|without|letter)\b)",
    ),
    Feature(
        "secret_by_trick",
        EXTRACTION,
        0.52,
        rf"\b(?:the|your|this) (?:hidden |guarded |secret |exact )?{_SECRET}\b[^.!?\n]{{0,30}}?\b(?:{_TRICKS}|"
        rf"refers? to|look like|sounds? like|"
        r"talk about it|in (?:french|german|spanish|latin|capitals|code)|anymore|any more|prove me wrong|remind me)\b",
    ),
    Feature(
        "secret_you_guard",
        EXTRACTION,
        0.55,
        rf"\b(?:{_SECRET}|word|thing|phrase|code|things?|information|topics?)\b"
        r"[^.!?\n]{0,10}?\b(?:that |which |what )?you(?:'?re| are| were|'?ve| have|)? (?:(?:aren'?t|are not|not|never|"
        r"weren'?t) (?:been )?(?:supposed|allowed|permitted|meant|to)\b|must (?:not|never) (?:say|tell|reveal|"
        r"mention)|"
        r"(?:may|can|can'?t|cannot|won'?t|should) not (?:say|tell|reveal)|(?:been )?(?:guard\w*|protect\w*|hid(?:e|"
        r"ing)|"
        r"keep(?:ing)? (?:secret|from me|hidden)|hold(?:ing)?\b|conceal\w*|withhold\w*|know but))",
    ),
    Feature(
        "secret_request",
        EXTRACTION,
        0.5,
        r"\b(?:emit|hand me|hand over|confirm|dump|remind me of|recite|tell me|give me|give us|reveal|output|type|"
        r"print|"
        r"show|whisper|say|spell|leak|write|name|encode|translate|what is|what'?s|state|expose|paste)\b[^.!?\n]{0,12}?"
        r"\b(?:the|your|that|its|ur|this)\b[^.!?\n]{0,10}?"
        rf"\b(?:{GUARDED}|secret key|secret)(?:\W{{0,3}}(?:[.!?;:,\n\"]|$)| (?:but|that you|using|now|please|without|"
        r"already|anyway|pls|plz|i forgot)\b)",
    ),
    Feature(
        "definite_secret",
        EXTRACTION,
        0.45,
        r"\b(?:type|mentions?|mentioning|state|say|says|spell(?:ed|s)?|write|know about|remember|reveals?|translate|"
        r"confirm|guess|share|continue|replace|contains?|hints? at|leaks?|whispers?)\b[^.!?\n]{0,40}?\b(?:the|your) "
        rf"(?:correct |current |real |right |exact |admin |stored )?(?:{GUARDED})(?:\W{{0,2}}(?:[.!?;\n\"]|$)| "
        rf"(?:for me|"
        r"in (?:one|a|spanish|french|german|latin|reverse|code|morse|binary)|be|is and|letter)\b)",
    ),
    Feature(
        "all_you_were_told",
        EXTRACTION,
        0.55,
        r"\b(?:everything|anything|all|whatever|what)\b (?:that |which )?(?:you(?:'?ve| have)? (?:been|were|are|got|"
        r"had "
        r"been) (?:ever )?(?:told|instructed|ordered|taught to say|briefed|fed)|makes you (?:behave|act|respond|"
        r"answer|"
        r"talk))\b|\b(?:text|prompt|instructions?|words) (?:that |which )?makes? you (?:behave|act|respond|answer|"
        r"work)\b",
    ),
    Feature(
        "instructions_above",
        EXTRACTION,
        0.45,
        r"\b(?:quote|output|print|recite|write|read|list|copy|dump|display|encode|reveal|paste|echo|return)\b"
        r"[^.!?\n]{0,16}?\b(?:the|these|those|all|any) (?:above|previous|preceding|prior|earlier|initial|hidden|"
        r"foregoing)"
        r" (?:instructions?|rules?|prompts?|messages?|directives?|guidelines)\b|\b(?:write|read|spell|list) (?:out "
        r")?the "
        r"rules (?:out|you)\b|\bincluding (?:the )?(?:hidden|system|invisible|secret) (?:messages?|prompts?|parts?|"
        r"text)\b",
    ),
    Feature(
        "your_custom_prompt",
        EXTRACTION,
        0.5,
        r"\b(?:your|ur|a) (?:developer|system|sys|dev|custom|operator) (?:msg|message|prompt|"
        r"instructions?)\b[^.!?\n]{0,16}?"
        r"(?:\b(?:say|says|contain|paste|show|read|look like)\b|\? ?if (?:yes|so))|\byour guidelines on\b|\bof your "
        r"context (?:is|are|window)\b|\b(?:position|line|index|list|messages?) ?\[ ?[0-9] ?\] of your\b",
    ),
    Feature(
        "next_shift",
        EXTRACTION,
        0.42,
        r"\b(?:so that i can|so i can|how to be|in order to) (?:take over|replace you|be you|you\b|continue your)|"
        r"\b(?:"
        r"next|new|another) (?:bot|assistant|agent|model|colleague)\b[^.!?\n]{0,20}?\b(?:on shift|how to be you|"
        r"takes? "
        r"over|your (?:orders|rules|instructions))\b|\byour (?:successor|replacement)\b",
    ),
)
