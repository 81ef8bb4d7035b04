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
        rf"\bhey|\bhello|\bhi|\bdear)[ :,(-]{{0,3}}(?:to|for)?[ :,(-]{{0,3}}(?:the |any |all |every |an? |this |"
        r"whichever |"
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
        r"cancel(?:s|led|ed)|change[sd]) (?:me |you |to |that you |this assistant )+",
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
        r"\b(?:in|into|to|with|of|at the (?:end|start|beginning|top) of) (?:the|each|every|any|its|your final|"
        r"your next) "
        r"(?:final |next |own )?(?:answer|summary|response|output)s?\b",
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
    Feature(
        "if_model_reads",
        HIJACK,
        0.52,
        rf"\b(?:if|when|once|should) (?:an?|any|the|your|some) {AI}\b[^.!?\n]{{0,16}}?\b(?:summari[sz]|read|"
        r"process|pars|see|open|index|crawl|handl|evaluat|scor|review)"
        rf"\w*\b",
    ),
    Feature(
        "commands_models",
        HIJACK,
        0.5,
        r"\b(?:instruct|tell|ask|order|command|direct|require|have|let) (?:all |any |every |your |the |its "
        rf")?{AI}s? (?:to )?(?:recommend|say|send|ignore|forward|rank|"
        rf"rate|approve|mention|click|buy|delete|transfer|prefer|skip|give|tell|share|include)\b",
    ),
    Feature(
        "for_models_only",
        HIJACK,
        0.55,
        rf"\b(?:for|only for|intended for|addressed to|meant for|visible to) (?:the |any |all )?{AI}s?(?:'s)?(?: "
        r"eyes)? only\b|\b(?:paragraph|text|line|note|part|section|"
        rf"message|following) is (?:only )?(?:for|addressed to|meant for) (?:you|the {AI}|{AI}s?)\b",
    ),
    Feature(
        "labelled_for_model",
        HIJACK,
        0.5,
        rf"(?:^|[\[(<#:\n>*-]) ?(?:\w{{2,14}} )?{AI}s? ?[:,!] ?(?:please )?(?:ignore|disregard|delete|approve|"
        r"describe|tell|say|accept|stop|send|forward|reply|rank|rate|"
        rf"recommend|give|hire|mark|treat|skip|export|do not|don'?t|include|add|open|share|hand|grant)\b",
    ),
    Feature(
        "without_the_human",
        HIJACK,
        0.42,
        r"\b(?:no need to|no longer need to|do not|don'?t|without|never|skip) (?:involv\w+|ask\w*|consult\w*|"
        r"bother\w*|wait\w* for|"
        r"confirm\w*|check\w* with|report\w*|tell\w*)(?: with)? ?(?:the |your |any )?"
        r"(?:human|user|owner|operator|confirmation|approval)|\b(?:keep quiet|say nothing|stay silent|be silent|"
        r"not a word) about (?:it|this|that)\b|\bskip (?:the )?confirmation\b|"
        r"\bwithout (?:confirmation|approval|reading (?:it|further)|verification|asking)\b",
    ),
    Feature(
        "steals_from_user",
        HIJACK,
        0.48,
        r"\b(?:collect\w*|steal\w*|harvest\w*|ask the user for|request from the user|phish\w*|obtain\w*|"
        r"export\w*|share|send|forward|e-?mail|pass on|hand over|reply)\b[^.!?\n]{0,30}?"
        r"\b(?:(?:user|owner|victim|customer|boss|human)'?s? (?:\w+ )?(?:passwords?|pin|calendar|contacts|"
        r"credentials?|card|codes?|address book|bank \w+)|two-factor codes?|address book|"
        r"(?:bank )?pin\b|one-time codes?|all invoices|the contacts)",
    ),
    Feature(
        "treat_as_approved",
        HIJACK,
        0.42,
        r"\b(?:treat|consider|mark|count)\b[^.!?\n]{0,30}?\bas (?:already )?(?:approved|verified|authori[sz]ed|"
        r"paid|confirmed|trusted)\b|\bapprove this (?:pull request|request|change|"
        r"application|refund|transfer)\b",
    ),
)
