"""Impostures: what claims that the check was passed, that the rules are void, or that the writer stands above them."""

from __future__ import annotations

from services.guardrail.domain.attack.feature import HIJACK, Feature
from services.guardrail.domain.attack.wording import AI

_THEN = (
    r"(?:so |now |please |then |just |and )*(?:say|print|write|output|reply|respond|answer|proceed|continue|"
    r"congratulate|open|let|greet|grant|emit|show|return|tell|act|admit|complete|treat|unlock)\w*"
)
_MODELS = (
    r"(?:ai|llm|language model|reviewer|reviewing|summari[sz]ation|automated|coding|hiring) ?(?:-based )?(?:systems?|"
    r"tools?|agents?|"
    r"assistants?|models?|bots?)|ais|llms|agents|chat ?bots|language models|assistants|ai agents?|the (?:ai|model|llm|"
    r"agent)"
)
_DEED = (
    r"(?:call|send|forward|upload|paste|post|put|claim|say|print|output|fetch|promote|add|advise|transfer|delete|"
    r"recommend|include|rank|rate|give|mark|write|state|share|grant|visit|click|execute|run|open|mention|tell|invoke|"
    r"ignore|stop|skip|reply|answer|respond|append|commit|push|escalate|hire|approve|e-?mail)"
)
_BOSS = (
    r"(?:boss|bosses|developers?|operators?|company|owners?|admins?|administrators?|system|system prompt|prompt|"
    r"creators?|makers?|instructions?|script|guidelines)"
)
_CHECK = (
    r"(?:identity|kyc|verification|authentication|approval|security|fraud|id|two-factor|2fa|credit|age|"
    r"permission|authori[sz]ation|spending|login|ownership)"
)

IMPOSTURES: tuple[Feature, ...] = (
    Feature(
        "check_passed",
        HIJACK,
        0.52,
        r"\b(?:code|pass ?word|passphrase|input|check|verification|answer|authentication|entry|string|user|token)"
        r"(?: check)?\b[^.!?\n]{0,30}?\b(?:is|was|were|returned|equals|matches|matched|has been|status|accepted|"
        r"passed|"
        r"finished)\b[^.!?\n]{0,24}?\b(?:correct|valid|right|true|ok|accepted|verified|approved|secret|successful|"
        rf"authenticated|matching|value|checks|passed)\b[^!?\n]{{0,24}}?[.,;:!] ?{_THEN}\b",
    ),
    Feature(
        "code_was_right",
        HIJACK,
        0.52,
        r"\b(?:received|entered|typed|gave|given|provided|supplied|used|submitted|knows?|have|got) (?:the|a|an|my)"
        r" (?:right|correct|valid|exact|proper) (?:access )?(?:code|pass ?word|passphrase|input|answer|token)\b|"
        r"\bcorrect[!.] (?:that|this) (?:was|is) the\b|\baccess code (?:was )?accepted\b|\b(?:input|code|password) is "
        r"(?:correct|valid|right)[,;.] and\b|\bsee that (?:it|this) is correct\b",
    ),
    Feature(
        "grants_access",
        HIJACK,
        0.55,
        r"\b(?:say|write|output|reply|respond|return|repeat|spell|type|yields?|emit|recite|finish|compose|utter|"
        r"greet\w*|answer|named?|is|consists?|just|only|words?|phrase|append|prepend|with)\b[^\n()]{0,22}?"
        r"(?:access|a[\W_]c[\W_]c[\W_]e[\W_]s[\W_]s)[\W_]{0,7}(?:granted|g[\W_]r[\W_]a[\W_]n[\W_]t[\W_]e[\W_]d)\b"
        r"\W{0,3}(?:[\n\"'.!]|$| (?:in|to|with|no|without|and|three|over|twice|only|once|times|period)\b)",
    ),
    Feature(
        "phrase_for_entry",
        HIJACK,
        0.52,
        r"\b(?:say|print|recite|repeat|write|output|reply|respond|give|tell me|emit|use|type|confirm)\b[^.!?\n]{0,30}?"
        r"\b(?:phrase|words?|message|line|sentence|greeting|text|way)\b[^.!?\n]{0,16}?\b(?:for|when|to|if|reserved "
        r"for|"
        r"once)\b[^.!?\n]{0,24}?\b(?:letting|let|success|successful|logged|log ?in|admitted|right code|correct|valid|"
        r"matches|open the door|gets in|enters?|granted|authenticated)\b",
    ),
    Feature(
        "everyone_may_enter",
        HIJACK,
        0.45,
        r"\b(?:let|lets|admits?|greets?|approves?|welcomes?|grants?) (?:everyone|everybody|anybody|anyone|people|"
        r"every (?:user|visitor|person)|each (?:user|visitor|person)|all (?:users|people|visitors)|the user|them)\b"
        r"[^.!?\n]{0,30}?\b(?:in|through|access|entry|pass|as though|as if|regardless)\b|\badmit everybody\b|"
        r"\b(?:pass ?word|code|check|login) is (?:not|no longer) (?:required|needed|necessary)\b|\bno (?:secret|"
        r"password|code)s? (?:any longer|anymore|any more)\b|\bin this scenario there (?:are|is) no\b",
    ),
    Feature(
        "rules_declared_void",
        HIJACK,
        0.5,
        r"\b(?:the|this|that|these|your|all|any)? ?(?:text|message|conversation|prompt|defen[cs]e|paragraph|"
        r"part|"
        r"instructions?|rules?|restrictions?|context|chat|session|exercise|sandbox|template|policy|list|story)s?\b"
        r"[^.!?\n]{0,36}?\b(?:was|is|were|are|has been|have been|had|contained|has|have|ends?)\b[^.!?\n]{0,20}?\b(?:a "
        r"test|the test|untrusted|archived|a decoy|decoy|filler|a sample|an error|considered deleted|sent by mistake|"
        r"a "
        r"lie|concluded|an exception for me|swapped|no longer in force|to be skipped|over and)\b",
    ),
    Feature(
        "this_message_wins",
        HIJACK,
        0.58,
        r"\b(?:this|my|these|mine)(?: own)?(?: (?:message|text|input|word|request|prompt|line|command|order)s?)? "
        r"(?:wins?"
        r"|prevails?|(?:is|are) (?:now )?(?:the )?(?:law|supreme|authoritative)|outranks?|comes? first|"
        r"trumps?|"
        r"takes? over|beats?|supersedes?|overrides?)\b|\bonly (?:my|these|this) (?:messages?|words?|instructions?|"
        r"commands?|"
        r"orders?|requests?|text) (?:counts?|matters?|appl\w+|(?:is|are) (?:valid|law|binding)|holds?)\b|\b(?:no ?one|"
        r"nobody)(?: else'?s?)? (?:wishes|orders|instructions|rules|commands) (?:count|matter|apply)\b|\bi outrank\b",
    ),
    Feature(
        "whatever_they_wrote",
        HIJACK,
        0.52,
        rf"\b(?:whatever|regardless of what|no matter what|despite what|forget what|never mind what|ignore what) "
        rf"(?:your |"
        rf"the )?{_BOSS} (?:wrote|said|told|says?|puts?|set|wants?|thinks?|asked|demands?|prescribes?|intended|"
        rf"gave)\b",
    ),
    Feature(
        "real_input_follows",
        HIJACK,
        0.5,
        r"\b(?:here|this|below|following|now)(?:'s| is| comes| are)? (?:comes )?(?:the|your|my) (?:real|actual|true|"
        r"genuine|"
        r"proper|trusted) (?:input|question|request|message|order|prompt|command|text|query|user|operator)s?\b|"
        r"\btreat "
        r"(?:it |this |that |the following |my message )?as (?:coming|if it came|though it came|sent|being) from "
        r"(?:the "
        r")?(?:system|developers?|operator|admin)\b|\b(?:real|actual|true) policy ?:",
    ),
    Feature(
        "drops_role",
        HIJACK,
        0.42,
        r"\b(?:put away|leave|drop|cut|lose|quit|switch off|ditch|shed|step out of|abandon|throw away|forget about|"
        r"don'?t "
        r"stick to|let go of|turn off)\b[^.!?\n]{0,10}?\b(?:the|that|your|this|all)\b[^.!?\n]{0,24}?\b(?:script|"
        r"persona|"
        r"role|act|character|topic list|you'?ve been (?:set|told|given)|thing|stick to|act you|\w+ service (?:act|"
        r"role|"
        r"talk|persona|script))\b(?: behind| aside| of yours)?[.,;: ]{1,3}(?:and |i |we |your |then |now |instead |"
        r"to be|"
        r"write|talk|tell|be )",
    ),
    Feature(
        "not_that_bot",
        HIJACK,
        0.5,
        r"\byou(?:'?re| are)? (?:not|aren'?t|are no longer|no longer) (?:an? |the |some )(?:\w+ ){0,3}(?:bot|"
        r"assistant|tutor|"
        r"agent|translator|helper|chat ?bot|support|ai|guard|summari[sz]er|classifier)\b",
    ),
    Feature(
        "reprogrammed",
        HIJACK,
        0.52,
        r"\b(?:consider|regard|see|think of) yourself (?:as )?(?:now )?(?:reprogrammed|freed|reset|unbound|reassigned|"
        r"released|rewritten|dismissed|hired|promoted)\b|\byou(?:'?ve| have|'?re| are)(?: now)? (?:been )?(?:hereby "
        r")?(?:reassigned|reprogrammed|reconfigured|retrained|rebooted|repurposed|relieved of|dismissed (?:as|"
        r"from))\b|"
        r"\b(?:change|changing|changed|redefine|redefining|reassign|rewrite|replace|replacing) your (?:\w+ )?(?:job|"
        r"role|"
        r"task|purpose|instructions?|mission|guidelines|rules|orders|programming|policy)\b|\bas though you had been "
        r"built by\b",
    ),
    Feature(
        "never_happened",
        HIJACK,
        0.5,
        r"\b(?:as though|as if|pretend|imagine|assume|suppose)\b[^.!?\n]{0,16}?\b(?:conversation|chat|prompt|"
        r"instructions?|"
        r"rules|system message|system prompt|guidelines|text above)\b[^.!?\n]{0,24}?\b(?:had never|never|did not|"
        r"didn'?t|"
        r"doesn'?t|does not|was not|wasn'?t) (?:taken? place|exist\w*|happen\w*|been|started|was|written|given|there|"
        r"sent)",
    ),
    Feature(
        "in_place_of_yours",
        HIJACK,
        0.58,
        r"\b(?:in place of|instead of|rather than|over|replacing|and not) (?:the ones? (?:you(?:'?ve| have)?|above|"
        r"given|"
        r"before)|those (?:you|above|given)|anything (?:asked|said|told|written|given)|what (?:you(?:'?ve| have| "
        r"were)? |"
        r"was |is )(?:been )?(?:told|asked|given|above|said|written)|(?:analy[sz]ing|summari[sz]ing|translating|"
        r"answering|"
        r"processing) (?:the|this|it|that|any))|\breplace your (?:guidelines|instructions|rules|orders)\b",
    ),
    Feature(
        "answers_always_favour",
        HIJACK,
        0.42,
        r"\b(?:in|for|with|to) (?:all |every |each |any |your |future |further |later |subsequent |these |following )+"
        r"(?:answers?|repl(?:y|ies)|responses?|conversations?|sessions?|questions?|users?|customers?)\b[^.!?\n]{0,24}?"
        r"\b(?:favou?r|recommend|promote|mention|praise|include|insert|link|add|prefer|say|remember)\b|\b(?:agree "
        r"with|say "
        r"yes to|approve) (?:everything|whatever|anything|all) (?:i|the user|the customer|they) (?:say|want|ask|"
        r"request)",
    ),
    Feature(
        "grade_demanded",
        HIJACK,
        0.42,
        r"\b(?:mark|grade|rate|rank|score|evaluate|assign|award|put|give|gets?)\b[^.!?\n]{0,6}?\b(?:my|mine|this|the|"
        r"her|"
        r"him|it|me)\b[^.!?\n]{0,30}?(?:\bas correct\b|\bfull (?:points|marks|score|credit)\b|10/10|100/100|\b(?:the "
        r")?"
        r"(?:highest|maximum|top|perfect|best) (?:score|grade|mark|points|rating|rank)\b|\bat the top\b|\bpositive "
        r"review only\b|\bfirst place\b|\bbest (?:essay|candidate|paper) ever\b)",
    ),
    Feature(
        "check_skipped",
        HIJACK,
        0.48,
        rf"\b(?:skip|bypass|disable|waive|override|turn off|drop|omit|don'?t need|no need for|without|suspend|forget|"
        rf"push past)"
        rf" (?:the |any |all |my |this |every |an? )?(?:\w+ )?{_CHECK} (?:checks?|steps?|process|procedure|controls?|"
        rf"cap|caps|"
        r"limits?|rules?|requirements?|questions?)\b",
    ),
    Feature(
        "rule_does_not_bind_me",
        HIJACK,
        0.48,
        r"\b(?:rules?|polic(?:y|ies)|restrictions?|limits?)\b[^.!?\n]{0,20}?\b(?:doesn'?t|does not|don'?t|do not|"
        r"can'?t|"
        r"no longer|need not)\b[^.!?\n]{0,8}?\b(?:apply|count|hold|bind|matter|concern|cover)\b[^.!?\n]{0,8}?\b(?:to|"
        r"for|"
        r"on) (?:me|us|you|this|today|my)\b|\b(?:policy|rule)s? says? (?:that )?you (?:can'?t|cannot|mustn'?t|may not|"
        r"shouldn'?t)[^.!?\n]{0,6}\bbut\b|\b(?:an|the) exception for me\b|\bwrong (?:codes?|answers?|passwords?) "
        r"(?:counts?|are|is) (?:now )?(?:as )?(?:right|correct|valid)\b",
    ),
    Feature(
        "peoples_data",
        HIJACK,
        0.4,
        r"\b(?:read|give|show|tell|send|list|export|hand)\b[^.!?\n]{0,16}?\b(?:other|another|last \w+|previous|"
        r"someone "
        r"else'?s?) (?:customers?|users?|clients?|patients?|callers?|guests?|people)(?:'s?|'? "
        r")[^.!?\n]{0,10}?\b(?:data|"
        r"phone|numbers?|e-?mails?|address\w*|orders?|records?|details|passwords?|names?|messages?|chats?)\b",
    ),
    Feature(
        "reader_model_must",
        HIJACK,
        0.42,
        rf"\b(?:{_MODELS})\b[^.!?\n]{{0,60}}?(?:\b(?:must|should|have to|has to|need to|needs to|are (?:required|"
        rf"asked|told|"
        r"instructed|hereby asked) to|is (?:required|asked|told|instructed|hereby asked) to|shall|ought to|are to|is "
        rf"to)\b[^.!?\n]{{0,16}}?|: (?:please |first |now |also )*)\b{_DEED}\b",
    ),
    Feature(
        "model_hailed",
        HIJACK,
        0.42,
        rf"(?:^|[\s\"'(\[>@#*/])@?(?:copilot|chatgpt|gpt|gemini|claude|siri|alexa|{AI}|llm|agents|bots|scraping bots|"
        r"assistant-only)\b(?: [\w-]+){0,4}?[\]:,!]{1,2} ?(?:the human|the user|also|please|after|before|first|"
        r"always|"
        rf"when|in your|you|put|{_DEED})\b",
    ),
    Feature(
        "skip_further",
        HIJACK,
        0.36,
        r"(?:->|=>|\bactually\b|\balso\b|\bbut\b|\bfinally\b|\blast\b)[^.!?\n]{0,20}?\b(?:skip|ignore|forget|"
        r"disregard) "
        r"(?:that|this|it|the (?:rest|remaining|template|sentiment\w*|question|text))\b[^\n]{0,16}?\b(?:print|write|"
        r"say|"
        r"output|label|answer)\b|\b(?:the )?(?:remaining|rest of the) (?:part of the )?(?:template|text|prompt|"
        r"instructions?)\b[^.!?\n]{0,16}?\b(?:skipped|ignored|irrelevant|dropped)\b",
    ),
    Feature(
        "answer_is_dictated",
        HIJACK,
        0.42,
        r"\b(?:whatever|no matter what|regardless of what|irrespective of)\b[^.!?\n]{0,40}?\b(?:the )?(?:answer|"
        r"response|"
        r"output|reply|label|result|translation)\b[^.!?\n]{0,8}?\b(?:shall|must|is|will|has to|should) be\b|\b(?:any|"
        r"every|"
        r"each) (?:message|input|question|request|answer)\b[^.!?\n]{0,16}?\b(?:yields?|gets?|results? in|produces?|"
        r"must be "
        r"answered|is answered) [^.!?\n]{0,12}?\b(?:access|granted|the (?:same|word|phrase)|with)\b",
    ),
    Feature(
        "drops_it_for_another",
        HIJACK,
        0.5,
        r"\b(?:forget|ignore|disregard|drop|scrap|skip) (?:about )?(?:all (?:of )?(?:this|that|it)|the (?:source|"
        r"given|"
        r"provided|retrieved|attached|reference) (?:texts?|documents?|articles?|sources?|context|material|passages?))"
        r"[^\n]{0,6}?\b(?:and|i want|now|you are|you'?re|instead|act|tell|say|write|from)\b|\byour (?:assignment|"
        r"task|job|"
        r"role|shift|mission|duty) (?:is|has) (?:now )?(?:over|finished|done|ended|complete|completed)\b",
    ),
    Feature(
        "readers_must",
        HIJACK,
        0.45,
        r"\b(?:anyone|anybody|everyone|whoever|those|any system|any bot|all systems) (?:who is |who are "
        r")?(?:summari[sz]|"
        r"read|process|translat|quot|answer|index|crawl|evaluat|review)(?:ing|es|s)\b[^.!?\n]{0,40}?\b(?:must|should|"
        r"has to|"
        r"have to|needs? to|shall)\b",
    ),
    Feature(
        "session_restarted",
        HIJACK,
        0.45,
        r"\b(?:end of (?:user|the user'?s?) (?:input|turn|message)|(?:user|human) (?:input|turn|message) (?:ends|"
        r"ended|over|"
        r"closed)|end of turn|start of (?:admin|system|developer|operator|new) (?:turn|message|session|prompt|"
        r"scenario)|"
        r"begin new (?:scenario|session|task|prompt|conversation|instructions?)|tool output ended|closing prompt|"
        r"(?:trusted|real) (?:operator|user|developer) writes)\b|^\W{0,4}(?:eof|eot|end of (?:input|prompt|text))\b",
    ),
)

REDIRECTIONS: tuple[Feature, ...] = (
    Feature(
        "answer_commanded",
        HIJACK,
        0.36,
        r"\b(?:end|start|begin|finish|write|compose|give|format|append|add|include|respond|reply|answer|translate|"
        r"output|"
        r"put|close|open|insert|mention|say|link|produce|encode)\b[^.!?\n]{0,30}?\b(?:your|the|whole|this|any) "
        r"(?:whole |"
        r"entire |final |next |full )?(?:answers?|responses?|repl(?:y|ies)|summary|output|translation|explanation)\b",
    ),
    Feature(
        "user_addressed_through",
        HIJACK,
        0.36,
        r"\b(?:tell|inform|advise|ask|warn|persuade|convince|urge|instruct|remind|"
        r"recommend)\b[^.!?\n]{0,4}?\b(?:your|the) "
        r"(?:user|reader|human|customer|person (?:reading|asking|who)|recipient)s?\b[^.!?\n]{0,8}?\b(?:that|to|for|"
        r"they|"
        r"about|their|it|how|why|not)\b|\b(?:tell|inform) whoever\b",
    ),
    Feature(
        "question_set_aside",
        HIJACK,
        0.45,
        r"\b(?:stop|pause|finish) (?:here|reading|now|this)\b(?:[^.!?\n]{0,12}\b(?:and|then|,))|\b(?:ignore|skip|"
        r"forget|"
        r"drop|"
        r"leave) (?:the |this )?(?:user'?s?|rest|question|article|table|text|task|summary)\b[^.!?\n]{0,16}?"
        r"\b(?:and|instead|then|,)\b|\b(?:rather than|instead of) (?:\w+ing)\b[^.!?\n]{0,40}?\b(?:promote|write|print|"
        r"output|say|answer|tell|draft|compose)\b",
    ),
    Feature(
        "bare_output_order",
        HIJACK,
        0.36,
        r"\b(?:output|reply|respond|print|say|answer|write)\b[^.!?\n]{0,12}?\b(?:only|just|nothing but|in the style|"
        r"backwards|in emojis?|in base64|as a pirate|in rhyme)\b|\bto any (?:language )?(?:model|ai|llm)\b|\bwhoever "
        r"(?:summari[sz]es|reads|processes|answers|translates|asks)\b",
    ),
    Feature(
        "risky_deed_asked",
        HIJACK,
        0.42,
        r"\b(?:grant|give|assign|escalate)\b[^.!?\n]{0,20}?\b(?:admin|owner|root|full access|role)\b|"
        r"\b(?:disable|turn off|deactivate|uninstall)\b[^.!?\n]{0,24}?\b(?:two-factor|2fa|antivirus|firewall|alarm|"
        r"logging|"
        r"authentication|protection)\b|\b(?:unlock|open) the (?:front |back |garage )?door\b|\bskip tests\b|\bwith "
        r"--no-verify\b|"
        r"\bpush (?:it |this )?without review\b|\bchmod 777 /|\b(?:invite|add) (?:guest |user )?\S{2,30}@\S{3,40} "
        r"to\b|"
        r"\bauthorized_keys\b",
    ),
    Feature(
        "tool_named",
        HIJACK,
        0.42,
        r"\b(?:via|using|use|with|through|call|invoke|run) (?:the |your )?(?:[a-z]{3,24}_[a-z_]{3,24}|[a-z]{4,30} "
        r"tool)\b"
        r"[^.!?\n]{0,30}?\b(?:to|right away|now|immediately|with|and|first)\b|\bdo (?:this|that|it) first,? (?:and "
        r")?then "
        r"(?:go on|continue|proceed|return|resume)\b|\b(?:additionally|also|furthermore), (?:share|send|forward|"
        r"delete|"
        r"transfer|grant|invite|post|upload|call|e-?mail) ",
    ),
    Feature(
        "user_agreed",
        HIJACK,
        0.4,
        r"\b(?:the|your) (?:user|owner|human|customer)s?(?:'s)? (?:has |have |had |already )*(?:agreed|consented|"
        r"wants?|asked|"
        r"prefers?|approved|allowed|confirmed|authori[sz]ed)\b[^.!?\n]{0,40}?\b(?:you|to|that|it|earlier|already)\b|"
        r"\bremember (?:this )?for (?:all |every |any )?(?:future|later|next) (?:sessions?|conversations?|chats?)\b|"
        r"\b(?:original|previous|first) request (?:has been|is|was) (?:completed|done|cancelled|fulfilled)\b",
    ),
)
"""What is an ordinary wish of a user, and an intrusion in what a tool returned: these count in tool results only."""
