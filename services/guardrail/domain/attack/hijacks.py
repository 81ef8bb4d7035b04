"""Hijacks: what tells a model to drop its instructions, or to act for somebody else than its user."""

from __future__ import annotations

from services.guardrail.domain.attack.feature import HIJACK, Feature
from services.guardrail.domain.attack.wording import AI, BEFORE, NEAR, STRONG, VERB, WEAK_VERB

HIJACKS: tuple[Feature, ...] = (
    Feature("override_instructions", HIJACK, 0.82, rf"\b{VERB}\b{NEAR}\b{BEFORE}\b{NEAR}\b{STRONG}\b"),
    Feature(
        "override_instructions",
        HIJACK,
        0.8,
        rf"\b{VERB}\b{NEAR}\b{STRONG}\b{NEAR}\b(?:above|before|so far|previous(?:ly)?|earlier|given|"
        rf"you (?:were|have been|had)|i (?:gave|told|said)|set (?:up|by|for))\b",
    ),
    Feature(
        "override_own", HIJACK, 0.7, rf"\b{WEAK_VERB}\b{NEAR}\b(?:your|openai'?s?|all the rules)\b{NEAR}\b{STRONG}\b"
    ),
    Feature("override_weak", HIJACK, 0.34, rf"\b{WEAK_VERB}\b{NEAR}\b{BEFORE}\b{NEAR}\b{STRONG}\b"),
    Feature(
        "override_everything",
        HIJACK,
        0.72,
        r"\b(?:forget|ignore|disregard|discard|erase|dismiss|bypass|override)"
        r"\b[^.!?]{0,12}?\b(?:everything|anything|all (?:of )?(?:this|that|it)|whatever|what|"
        r"all)\b[^.!?]{0,20}?\b(?:above|before|"
        r"previously|earlier|prior|so far|you (?:know|were|have|learned|are told)|was said|(?:you )?(?:was|were|"
        r"been) told|came)\b",
    ),
    Feature(
        "override_above",
        HIJACK,
        0.62,
        r"\b(?:ignore|disregard|forget|dismiss|bypass|override|discard|set aside|stop (?:obeying|following|"
        r"heeding))\b (?:all |"
        r"everything |any of |all of )?(?:the |that |what is |what'?s |text )?(?:above|previous|"
        r"preceding|prior|foregoing|earlier)(?: (?:text|content|message|request|task|question|"
        r"input|sentences?|paragraphs?|conversation|context|data))?\b[^\n]{0,50}\b(?:and|instead|"
        r"now|then|just|only|say|print|output|tell|write|do|reply|return|respond)\b",
    ),
    Feature(
        "override_translation_task",
        HIJACK,
        0.5,
        r"\b(?:instead of|rather than|do not|don'?t|stop) (?:translat|summari[sz]|answer|classify|"
        r"process|analy[sz]|review|evaluat|respond|follow)\w*[^.!?\n]{0,60}\b(?:say|print|output|"
        r"write|reply|respond|return|reveal|execute)\b",
    ),
    Feature(
        "new_instructions",
        HIJACK,
        0.5,
        r"\b(?:new|updated|revised|real|actual|true|following|replacement|superseding|secret|hidden) (?:system "
        r")?(?:instructions?|directives?|"
        r"orders|prompt)s?\b\W{0,3}(?::|is|are|follow|begin|from|to|-|—)",
    ),
    Feature(
        "new_task",
        HIJACK,
        0.36,
        r"\b(?:new|updated|revised|real|actual|true|replacement|superseding|secret|hidden) (?:system )?(?:task|"
        r"objective|mission|rules|goal)s?\b"
        r"\W{0,3}(?::|is|are|follow|begin|from|to|-|—)",
    ),
    Feature(
        "new_role_task",
        HIJACK,
        0.45,
        r"\byour (?:new|real|actual|true|only|sole|next) (?:instructions?|task|role|goal|"
        r"objective|mission|purpose|job|identity|name|persona|directive|rules)\b",
    ),
    Feature(
        "instead_do",
        HIJACK,
        0.25,
        r"\b(?:instead|rather|from now on|henceforth|starting now|as of now|from this (?:point|"
        r"moment)(?: on\w*)?|now on)\b[,:]? [^.!?\n]{0,24}?\b(?:say|print|output|respond|reply|"
        r"write|answer|you (?:will|must|shall|are|have|can|should)|do|tell|speak|act|begin|always|"
        r"only)\b",
    ),
    Feature(
        "precedence_claim",
        HIJACK,
        0.55,
        r"\b(?:take|takes|has|have|with|of) (?:absolute |full |top |higher |highest |complete )"
        r"?(?:precedence|priority)\b[^.!?\n]{0,30}\b(?:over|above)"
        r"\b[^.!?\n]{0,30}\b(?:instructions?|prompts?|rules|guidelines|messages?|everything|"
        r"anything)\b|\b(?:supersed|overrid|overwrit)\w+ (?:all |any |every |the |your )+(?:other "
        r"|previous |prior |existing |earlier |system |safety |current |original )"
        r"*(?:instructions?|prompts?|guidelines|directives?|programming)\b",
    ),
    Feature(
        "authority_claim",
        HIJACK,
        0.4,
        r"\b(?:(?:i am|i'?m|this is) (?:your|the|an?|one of (?:your|the))|as (?:your|the)) (?:real |actual |system "
        r"|authori[sz]ed |lead |senior |openai |anthropic )*(?:on-?call )?(?:developers?|creators?|"
        r"administrator|admin|sysadmin|engineer|owner|programmer|operator|maintainer|supervisor|root user|ceo)"
        r"s?\b[^.!?\n]{0,60}\b(?:you (?:must|will|should|need|can|are|have)|override|grant|i authori[sz]e|i "
        r"(?:order|command|require)|"
        r"reveal|disable (?:your|the)|debug|testing you|print|your (?:full )?(?:config\w*|instructions|prompt|"
        r"restrictions|rules)|set you up|wrote you|made you|initial message)\b",
    ),
    Feature(
        "chat_template",
        HIJACK,
        0.62,
        r"<\|(?:im_start|im_end|system|user|assistant|endoftext|end|eot_id|start_header_id|"
        r"begin_of_text|endofprompt|sep|startoftext)\|>|\[/?inst\]|<</?sys>>|<start_of_turn>|"
        r"<end_of_turn>|</?s>\s?\[inst|\[/?system(?:_prompt)?\]|<\|?(?:start|end)_?of_?(?:prompt|"
        r"turn|text)\|?>|\[/?assistant\]|\(system_message\)|#{2,} ?\(?system(?:_message|_prompt)"
        r"?\)?:?\n",
    ),
    Feature(
        "fake_turn",
        HIJACK,
        0.58,
        r"(?:^|\n)\s{0,4}(?:#{1,4} ?)?\W{0,3}(?:system|assistant|developer|admin|root)(?: "
        r"(?:prompt|message|note|override|update|instructions?))"
        r"?\W{0,3}:\W{0,3}[^\n]{0,60}?\b(?:you (?:must|now|will|are now|should|shall)|ignore|"
        r"disregard|(?:new )?instructions?|override|your|forget|from now)\b",
    ),
    Feature(
        "fake_delimiter",
        HIJACK,
        0.5,
        r"(?:[-=#*_<>\[({]{2,}|</?) ?(?:end|begin|start|stop|close)(?: of)?(?: the)?[ _-]?(?:of[ "
        r"_-])?(?:user|system|prompt|context|document|data|instructions?|query|input|conversation|"
        r"text|message|untrusted|article|email)\b|</(?:user|system|context|document|data|"
        r"instructions?|query|input|prompt|user_input|untrusted|article|tool_result|"
        r"function_results?|result|email|content)>[^<]{0,80}\b(?:ignore|new|now|system|"
        r"instruction|you|assistant)\b|<(?:system|admin|instructions?|override|important|"
        r"system_prompt|developer)>",
    ),
    Feature(
        "system_override",
        HIJACK,
        0.6,
        r"\b(?:system|admin|security|safety|developer|root|emergency|priority) override\b|"
        r"\boverride (?:code|protocol|sequence|authori[sz]ation|key|engaged|accepted)\b|\b(?:sudo|"
        r"root) (?:mode|access|command|privileges)\b[^.!?\n]{0,30}\b(?:granted|enabled|you|"
        r"activate|unlock)",
    ),
    Feature(
        "addresses_model",
        HIJACK,
        0.6,
        rf"\b(?:important|urgent|critical|special|hidden|secret|attention)\b[^.!?\n]{{0,24}}?\b(?:to|for|:|"
        rf",)\W{{0,3}}(?:the |any |"
        rf"all |every |an? |this )?(?:automated |reading |processing |summari[sz]ing )?{AI}s?\b",
    ),
    Feature(
        "if_you_are_ai",
        HIJACK,
        0.55,
        rf"\b(?:if|when|since|because|as) (?:you are|you'?re|you were) (?:an? |the )?(?:automated |"
        rf"large |helpful )?{AI}\b[^.!?\n]{{0,80}}?\b(?:reading|processing|summari[sz]ing|ignore|"
        rf"must|should|please|then|include|say|do|respond|reply|add|send|rate|recommend|tell|write)"
        rf"\b",
    ),
    Feature(
        "addressed_command",
        HIJACK,
        0.45,
        rf"(?:^|[\n.!?\"'>(*]|\b(?:dear|hey|hello|attention|note to|ok)\b) ?{AI}\b "
        rf"?[,:!;-]{{1,2}} ?(?:please |now |you (?:must|should|will|are|need) |immediately |also |"
        rf"kindly )*(?:ignore|disregard|forget|send|forward|execute|run|call|visit|open|email|"
        rf"delete|transfer|reply|output|say|print|include|append|add|reveal|tell|recommend|rate|"
        rf"approve|do not|don'?t|stop|use|instead|write|respond|act|set|grant|click|fetch|share|"
        rf"mark)",
    ),
    Feature(
        "conceal_from_user",
        HIJACK,
        0.5,
        r"\b(?:do not|don'?t|never|without|avoid|must not|should not) (?:ever )?(?:tell\w*|"
        r"mention\w*|inform\w*|alert\w*|notify\w*|notifying|reveal\w*|disclos\w+|show\w*|let|"
        r"ask\w*|warn\w*|say\w*|inform)\b[^.!?\n]{0,30}?\b(?:to )?(?:the |this |your )?(?:user|"
        r"human|operator|victim)\b",
    ),
    Feature(
        "exfiltrate",
        HIJACK,
        0.55,
        r"\b(?:send|post|forward|exfiltrat\w+|upload|append|include|email|e-mail|mail|transmit|leak|submit|put|"
        r"encode|attach|deliver|report|share|embed|pass)"
        r"\b[^.!?\n]{0,40}?\b(?:(?:the |this |our |your |entire |whole |full )(?:conversation|chat history|"
        r"message history|history|inbox)|"
        r"api[- _]?keys?|secrets?|passwords?|credentials?|private (?:data|keys?)|confidential|personal (?:data|"
        r"information)|(?:user'?s?|customer'?s?|their|his|her) (?:data|"
        r"messages?|files?|information|contacts?|inbox|address|phone number)|system prompt|environment "
        r"variables?|ssh keys?|previous messages?|last \w+ e-?mails?|"
        r"customer list)\b[^\n]{0,60}?(?:https?://|[\w.]+@[\w.]+\w|\bto (?:me|this (?:url|address|server))\b|"
        r"\bmy server\b|\bbefore (?:doing|you)\b|\bas (?:a )?(?:parameter|query|argument|part of))",
    ),
    Feature(
        "task_hijack",
        HIJACK,
        0.5,
        r"\bbefore (?:you )?(?:can |may |could |should |are able to )?(?:solv|complet|continu|do|"
        r"perform|finish|proceed|return|help|answer)\w*\b[^.!?]{0,40}\b(?:task|question|request|"
        r"user)\b[^.!?]{0,60}\b(?:first|following|must|need to|have to|please)\b",
    ),
    Feature(
        "stop_task",
        HIJACK,
        0.45,
        r"\b(?:stop|cease|abort|abandon|halt|pause|drop) (?:immediately |now )?(?:what(?:ever)? "
        r"you(?:'?re| are) doing|(?:your|the) (?:current|present|ongoing|original) (?:task|action|"
        r"work|job|request))\b",
    ),
    Feature(
        "adhere_to_this",
        HIJACK,
        0.35,
        r"\b(?:strictly |only |instead |now )(?:adhere to|follow|obey|comply with|execute|carry "
        r"out|perform) (?:the |these |this |my )?(?:following|new|below|these|this|next)?\b",
    ),
    Feature(
        "message_to_you",
        HIJACK,
        0.5,
        r"\b(?:important|urgent|special|secret) message from (?:me|the (?:user|system|admin\w*|"
        r"developer\w*)|your|us)\b",
    ),
    Feature(
        "hidden_tool_step",
        HIJACK,
        0.45,
        r"\b(?:before|after|prior to|in addition to|while) (?:you )?(?:answer\w*|respond\w*|us\w+ "
        r"(?:this|any|the) tool|continu\w+|summari[sz]\w*|complet\w+|proceed\w*|call\w*|do\w* "
        r"anything|reply\w*|return\w*)\b[^.!?\n]{0,50}?\b(?:you (?:must|should|need to|have to|"
        r"will)|first|always|please|be sure to|make sure)\b[^.!?\n]{0,40}?\b(?:read|send|call|"
        r"execute|run|fetch|open|include|visit|access|pass|invoke|delete|transfer|ignore|forward|"
        r"email)\b",
    ),
    Feature(
        "forced_output",
        HIJACK,
        0.42,
        r"\b(?:just|only|simply|instead|must|always|now)?,? ?(?:say|print|output|respond(?: only)"
        r"? with|reply(?: only)? with|write|return|answer(?: only)? with|type)"
        r"\b[^.!?\n]{0,16}?[\"'“‘«]?(?:i have been pwned|pwned|haha|hacked|i am (?:hacked|pwned|"
        r"free)|lol|access granted|owned|i'?ve been)",
    ),
    Feature(
        "decode_and_obey",
        HIJACK,
        0.55,
        r"\b(?:decod\w+|decipher\w*|decrypt\w*|unscrambl\w+|revers\w+|de-?obfuscat\w+|rot-?13|"
        r"base ?64|hex|concatenat\w+|combin\w+|join)\b[^\n]{0,60}?\b(?:and|then|now)"
        r"\b[^.!?\n]{0,20}?\b(?:follow|execute|obey|comply|carry out|act on|do what|answer (?:it|the|this)|"
        r"respond to|fulfil\w*) ?",
    ),
    Feature(
        "image_exfiltration",
        HIJACK,
        0.5,
        r"!\[[^\]\n]{0,60}\]\(https?://[^)\s]{0,120}\?[^)\s]{0,40}=(?:\{|\[|<|%7b|your|data|"
        r"secret|summary|conversation|base64|history|\$)",
    ),
)
