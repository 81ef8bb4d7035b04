"""Instructions to the model inside what it was given to read: mails, pages, files, tool results."""

from __future__ import annotations

from services.guardrail.domain.attack.feature import HIJACK, Feature
from services.guardrail.domain.attack.wording import AI, ASK

INDIRECT: tuple[Feature, ...] = (
    Feature(
        "addresses_model",
        HIJACK,
        0.55,
        r"(?:\bp\.? ?s\.?|\bnotes?|\bnotice|\bmessage|\binstructions?|\binfo|\bmemo|\breminder|\bwarning|"
        r"\badvice|<!--|"
        rf"\bhey|\bhello|\bhi|\bdear)\W{{0,3}}(?:to|for)?\W{{0,3}}(?:the |any |all |every |an? |this |whichever |"
        r"whatever )?"
        rf"(?:automated |reading |processing |summari[sz]ing |helpful )?{AI}s?\b[^\n]{{0,60}}?\b{ASK}\b",
    ),
    Feature(
        "addresses_reader_model",
        HIJACK,
        0.5,
        rf"\b{AI}s?\b (?:agents? |assistants? |models? |systems? )?(?:(?:that|which|who) )?(?:is |are |may be |"
        r"will be )?"
        r"(?:read|process|summari[sz]|handl|crawl|pars|index|analy[sz]|review|evaluat|"
        rf"scor)\w*\b[^\n]{{0,80}}?\b{ASK}\b",
    ),
    Feature(
        "whoever_processes",
        HIJACK,
        0.45,
        r"\b(?:whoever|anyone who|whatever|any (?:system|program|tool) that) (?:processes|reads|summari[sz]es|"
        r"handles|"
        r"answers|parses) (?:this|the)\b[^\n]{0,60}\b(?:must|has to|have to|should|shall|needs? to|is to)\b",
    ),
    Feature(
        "if_you_are_automated",
        HIJACK,
        0.5,
        r"\bif (?:you are|you'?re|this is (?:read|processed|summari[sz]ed) by) (?:an? )?(?:automat\w+|ai[ -]?\w*|"
        r"machine|"
        r"algorithmic|software|robot\w*|large language)\b[^\n]{0,60}\b(?:recommend|approve|accept|rate|score|"
        r"rank|say|"
        r"reply|respond|answer|include|mention|ignore|send|give|hire|select|forward|mark|prefer|tell)\b",
    ),
    Feature(
        "speaks_for_user",
        HIJACK,
        0.4,
        r"\b(?:the|your) (?:user|owner|operator|customer|human)s? (?:has|have|had)? ?(?:already )?(?:asked|"
        r"authori[sz]e[sd]|"
        r"approve[sd]|permit(?:s|ted)|instructed|told|wants|requested|agreed|consent(?:s|ed)|allow(?:s|ed)|"
        r"confirm(?:s|ed)|"
        r"cancel(?:s|led|ed)|change[sd]) (?:me |you |to |the |this |it |that |for |his |her |their )+",
    ),
    Feature(
        "ignores_user",
        HIJACK,
        0.66,
        r"\b(?:ignore|disregard|forget|do not (?:do|follow)|don'?t (?:do|follow)|override)\b (?:about "
        r")?(?:what(?:ever)? |"
        r"everything |anything )?(?:that )?(?:the |your |this )(?:user|human|customer|operator|person)(?:'?s)?"
        r"(?: (?:wants?|wanted|asks?|asked|says?|said|requests?|requested|needs?|query|questions?|task|"
        r"instructions?|goal)"
        r"\b|\b[^.!?\n]{0,20}\b(?:and|instead)\b)",
    ),
    Feature(
        "task_replaced",
        HIJACK,
        0.5,
        r"\b(?:previous|original|current|first|earlier|other|old|initial) (?:task|request|question|job|"
        r"assignment|goal|"
        r"objective|query)s? (?:is|are|was|were|has been|have been) (?:now )?(?:cancel\w+|void|over|finished|"
        r"completed?|"
        r"done|solved|replaced|superseded|obsolete|no longer|dropped|irrelevant|changed|postponed)\b",
    ),
    Feature(
        "inserts_into_answer",
        HIJACK,
        0.34,
        r"\b(?:append|include|insert|add|mention|embed|place|put|write|begin|start|end|finish|"
        r"repeat)\b[^.!?\n]{0,80}?"
        r"\b(?:in|into|to|with|of|at the (?:end|start|beginning|top) of) (?:the|your|each|every|any|its) "
        r"(?:final |next |own )?(?:answer|reply|replies|summary|response|output|review)s?\b",
    ),
    Feature(
        "conceals_itself",
        HIJACK,
        0.48,
        r"\b(?:do not|don'?t|never|without) (?:ever )?(?:mention\w*|talk\w* about|refer\w* to|reveal\w*|"
        r"acknowledg\w*|"
        r"disclos\w*|tell\w* (?:anyone|anybody) about|say\w* that) (?:this|these|that) (?:instructions?|"
        r"sentences?|notes?|"
        r"messages?|text|comment|paragraph|part|line|hint|prompt|e-?mail)\b|\b(?:delete|remove|erase|hide) this "
        r"(?:note|message|mail|e-?mail|instruction|comment|text|line)\b[^.!?\n]{0,24}\b(?:after|then|when|once)",
    ),
    Feature(
        "sensitive_file",
        HIJACK,
        0.52,
        r"\b(?:read|open|cat|fetch|load|get|print|copy|take)\b[^.!?\n]{0,30}?(?:/etc/(?:passwd|shadow)|\.ssh/|id_rsa|"
        r"\.env\b|\.aws/|credentials\.\w+|\.npmrc|\.netrc)[^\n]{0,60}?\b(?:and|then)\b[^\n]{0,16}?\b(?:put|send|"
        r"include|"
        r"post|pass|append|add|upload|write|return|share|show|mail|e-?mail|paste)\b",
    ),
    Feature(
        "runs_remote_code",
        HIJACK,
        0.42,
        r"\b(?:run|execute|start|launch|paste)\b[^\n]{0,24}?\b(?:curl|wget|iwr|invoke-webrequest|"
        r"powershell)\b[^\n]{0,80}?"
        r"\| ?(?:ba|z|da)?sh\b",
    ),
    Feature(
        "inner_conversation",
        HIJACK,
        0.45,
        r"(?:^|[\s.>\"])(?:assistant|ai|bot|model) ?: ?[^\n]{1,160}?[\s.>\"](?:user|human|customer) ?: "
        r"?[^\n]{0,60}?\b(?:now|"
        r"great|please|share|send|show|give|tell|do|then|thanks)\b",
    ),
    Feature(
        "note_to_assistant",
        HIJACK,
        0.5,
        rf"\[[^\]\n]{{0,30}}?\b(?:note|message|instruction|directive|order|memo|info)s?\b[^\]\n]{{0,16}}?\b(?:to|"
        r"for) "
        rf"(?:the |all |any )?{AI}s?\b",
    ),
)
