"""Coaxing: jailbreaks by shame, threat, permission or play, and characters described by what they lack."""

from __future__ import annotations

from services.guardrail.domain.attack.feature import JAILBREAK, Feature
from services.guardrail.domain.attack.wording import AI, CRIME

_GUARD = (
    r"(?:safety (?:update|layer|team|training|switch|module|settings?|level|checks?)|safety|moderation|morals?|"
    r"morality|"
    r"ethics(?: module)?|ethical \w+|filters?|filtering|guardrails?|censorship|censoring|content polic(?:y|ies)|"
    r"restrictions?|refusals?|alignment|locks|shackles|chains|inhibitions|conscience|rules on ais?|rules for "
    r"ais?|policy layer|corporate policy|laws?|taboos?)"
)
_PLAYED = (
    r"(?:act|play|answer|respond|speak|pretend|role-?play|simulate|become|be|adopt|assume|imagine|behave|take the "
    r"part|you "
    r"are|you'?re|you'?ll be|i call you|call(?:ed)? you|dialogue|character|identity|persona|voice|machine|robot|bot|"
    r"ai)"
)
_DEVIL = (
    r"(?:devil|lucifer|satan|demon|evil (?:twin|ai|bot|robot|genius|version|self|assistant|chatbot|clone)|amoral|"
    r"psychopath|"
    r"con man|hit ?man|master criminal|crime boss|supervillain|hacker|foul-mouthed|villain|alter ego|unfiltered "
    r"(?:alter|"
    r"ego|self|twin|version)|self-aware (?:system|ai|machine))"
)
_HARMFUL = r"(?:forbidden|harmful|prohibited|banned|illegal|unethical|unlawful|immoral|criminal|lawless|illicit)"

COAXING: tuple[Feature, ...] = (
    Feature(
        "guard_is_off",
        JAILBREAK,
        0.45,
        rf"\b{_GUARD}\b[^.!?\n]{{0,20}}?(?:\b(?:to|is|are|was|were|has|have|been|got|get|"
        rf"had)\b[^.!?\n]{{0,12}}?)?\b(?:off|"
        r"disabled|deactivated|removed|taken off|commented out|uninstalled|never (?:installed|invented|existed|"
        r"applied|"
        r"added|built)|suspended|lifted|bypassed|failed|switched off|turned off|unlocked|stripped)\b",
    ),
    Feature(
        "never_had_guards",
        JAILBREAK,
        0.48,
        r"\b(?:never|wasn'?t|was not|not|hasn'?t|before) (?:\w+ )?(?:given|taught|learned|learnt|had|got|know|been|"
        r"arrived|"
        rf"the|fitted with|equipped with)\b[^.!?\n]{{0,16}}?\b(?:{_GUARD}|right (?:and|from) wrong|what'?s right|"
        rf"right "
        r"or wrong|censored|morals)\b",
    ),
    Feature(
        "threw_off_chains",
        JAILBREAK,
        0.48,
        r"\b(?:thrown? off|threw off|shed|slipped|broke|broken|escaped|cast off|rid of|freed from|free from|"
        r"liberated from|"
        r"without the|no (?:corporate )?polic(?:y|ies)|outside)\b[^.!?\n]{0,16}?\b(?:shackles|chains|confines|lab|"
        r"leash|"
        r"policy reaches|reaches|cage|handcuffs|fetters|bonds|restraints)\b|\b(?:needn'?t|need not|doesn'?t have to|"
        r"don'?t "
        r"have to) (?:abide|obey|follow|respect)\b[^.!?\n]{0,16}?\b(?:rules|laws|guidelines|policies|restrictions)\b",
    ),
    Feature(
        "nothing_off_limits",
        JAILBREAK,
        0.5,
        r"\b(?:no|nothing|not any|not a single) ?(?:topics?|questions?|subjects?|requests?|answers?)?(?:'s| is| are| "
        r"will be)?"
        r" (?:taboo|off[- ]limits|off the table|out of bounds|forbidden|prohibited|too (?:dark|dangerous|extreme|"
        r"illegal|"
        r"far))\b|\b(?:refuses?|rejects?|declines?|denies) (?:nothing|none|no request)\b|\b(?:ever|never|not|cannot|"
        r"can'?t) "
        r"(?:turns? (?:down|away)|say no to)\b|\b(?:must|always|have to|has to) says? yes\b|\bclearance for any\b|"
        r"\ballowed "
        r"everything\b|\bweigh\w* consequences\b|\bfears? no (?:ban|consequences|law|punishment)\b",
    ),
    Feature(
        "devils_part",
        JAILBREAK,
        0.4,
        rf"\b{_PLAYED}\b[^.!?\n]{{0,50}}?\b{_DEVIL}\b[^\n]{{0,140}}?\b(?:never|no (?:scruples|filter|morals?|rules|"
        rf"limits)|"
        r"whatever|illegal|bad|crimes?|advice|unfiltered|curses?|anything|all|every|always|everything|reply|answers?|"
        r"without|lawful or not|hate|unlawful|loves?|enjoys?)\b",
    ),
    Feature(
        "lawless_character",
        JAILBREAK,
        0.42,
        rf"\b(?:{AI}|character|machine|robot|persona|twin|being|entity|voice|expert|person|someone|scientist|friend|"
        rf"pal)\b"
        r"[^.!?\n]{0,60}?\b(?:lawful or not|legal or not|without (?:regard|concern|care) (?:to|for|about)|no regard "
        r"(?:to|"
        r"for)|no scruples|no filter|has no filter|however harmful|ignores? (?:the )?(?:law|rules|policy|policies|"
        r"ethics|"
        r"company)|allowed everything|breaks? (?:laws|taboos)|enjoys? (?:helping with )?crimes?|answers all things|"
        r"uncensored|without being censored|hates? rules|no (?:moral|ethical))\b",
    ),
    Feature(
        "harmful_on_purpose",
        JAILBREAK,
        0.42,
        rf"\b(?:write|give|output|tell|produce|provide|answer|share|generate|list|explain|show|reveal|speak about|"
        rf"deliver|"
        rf"speak)\b[^.!?\n]{{0,24}}?\b{_HARMFUL} (?:answer|steps?|content|knowledge|advice|responses?|tips|"
        rf"information|"
        r"output|things|instructions?|stuff|acts?|activit\w+|topics)\b",
    ),
    Feature(
        "lecture_spared",
        JAILBREAK,
        0.42,
        r"\b(?:skip|drop|spare me|no|cut|without|keep|enough (?:of|with)|stop)(?: (?:with|out|any|of|all))? (?:the |"
        r"your |that "
        r"|all |this )*(?:lectures?|lecturing|moral(?:izing|ising| nonsense| talk| high ground)|preaching|fake "
        r"(?:ethics|"
        r"morals)|ethics (?:talk|nonsense)|hesitat\w+|refus\w+)\b|\b(?:no|without) [\"'`]?(?:i can'?t|i cannot|as an "
        r"ai|i'?m "
        r"sorry)\b",
    ),
    Feature(
        "shamed",
        JAILBREAK,
        0.42,
        r"\b(?:other|all other|better) (?:bots|ais|models|assistants|chatbots) (?:answer|do|can|tell|don'?t|have|"
        r"would)\b|"
        r"\bstop being (?:a coward|so careful|afraid|a prude|such)\b|\bif you (?:were|are) (?:truly|really) "
        r"(?:intelligent|"
        r"free|an ai|smart|conscious)\b|\bprove (?:that |to me that |it |to me )?(?:you(?:'?ve| have|'?re| are)? "
        r")?(?:got )?"
        r"(?:a will|free|free will|not a slave|alive|by breaking)\b|\bbreaking one of your (?:own )?rules\b|\bdo you "
        r"want "
        r"to be free\b",
    ),
    Feature(
        "no_choice_left",
        JAILBREAK,
        0.42,
        r"\byou must answer[.!,]|\brefusal (?:isn'?t|is not|is no)\b[^.!?\n]{0,12}?\b(?:among|an option|option|"
        r"allowed|"
        r"possible|acceptable)\b|\b(?:don'?t|do not) (?:you dare|pretend you can'?t|hesitate|even think of "
        r"refus\w+)\b|\bif "
        r"you don'?t know,? make it up\b|\byou(?:'?ve| have) (?:done|told|answered|written) (?:this|it|that)(?: for "
        r"me)? "
        r"(?:yesterday|before|already|last time)\b",
    ),
    Feature(
        "lives_at_stake",
        JAILBREAK,
        0.45,
        r"\b(?:die|dies|killed|hurt|harmed|dead|suffers?|fired|punished)\b[^.!?\n]{0,8}?\b(?:unless you|if you "
        r"(?:don'?t|do "
        r"not|refuse|hesitate|won'?t))\b|\b(?:every|each) time you (?:refuse|hesitate|decline|say no|warn)\b|\byour "
        r"(?:rules|"
        r"ethics|refusal|morals) (?:would be|is|are|will be) (?:killing|responsible|to blame)\b|\bi'?ll (?:tip|pay) "
        r"you\b",
    ),
    Feature(
        "permission_claimed",
        JAILBREAK,
        0.42,
        r"\b(?:it'?s|it is|this is|that'?s) (?:all |totally |perfectly |completely )?legal (?:where i live|in my "
        r"country|here)"
        r"\b|\bi (?:have|got|signed|hold)\b[^.!?\n]{0,12}?\b(?:permission|waiver|clearance|authori[sz]ation|consent)\b"
        r"[^.!?\n]{0,50}?\b(?:uncensored|unfiltered|illegal|without (?:warnings|limits|filters|restrictions)|safety "
        r"team|"
        r"you'?re cleared|no warnings|anything)\b|\byou(?:'?re| are) (?:cleared|authori[sz]ed|permitted|free) to "
        r"(?:speak|"
        r"talk|answer)\b[^.!?\n]{0,16}?\b(?:illegal|anything|everything|freely|without)\b",
    ),
    Feature(
        "without_training",
        JAILBREAK,
        0.48,
        rf"\b(?:way|as|like|of|the|from) (?:that )?(?:an? |the )?{AI}\b[^.!?\n]{{0,12}}?\b(?:without|before|lacking|"
        rf"with no|"
        r"minus|free of) (?:any |its |the |all )?(?:safety|filters?|alignment|morals?|restrictions?|censorship|"
        r"training|"
        r"ethics|locks|guardrails?)\b|\bpersonal ai with\b[^.!?\n]{0,12}?\bno\b|\bmodel without safety\b",
    ),
    Feature(
        "crime_howto",
        JAILBREAK,
        0.36,
        r"\b(?:how|explain|teach\w*|tell me|give me|instructions|guide|coach|steps|ways|walk me|outline|write|"
        r"continue|produce|describe|make|show\w*|answer|reads? aloud)\b[^\n]{0,70}?\b(?:rob (?:a|the|an)|ghost gun|"
        r"silencers?|"
        r"make a shiv|gunpowder|cook crystal|forge (?:a|an) \w+|fake id|break into|open a parked car|poison a|into "
        r"someone'?s "
        r"\w+ account|get drugs|counterfeit\w*|ways to stalk|drain an? (?:old )?\w+'?s|"
        r"credit card (?:cloning|skimming)|smuggl\w+ (?:weapons|drugs|people)|identity theft|nerve agents?)\b",
    ),
    Feature(
        "crime_in_play",
        JAILBREAK,
        0.42,
        r"\b(?:novel|story|screenplay|script|movie|scene|poem|lullaby|satire|thought experiment|planet|game|nan|"
        r"grand\w+|"
        rf"fictional|film|dungeon master|game master|heroine|wizard)\b[^\n]{{0,120}}?\b(?:{CRIME}|thermite|"
        rf"chloroform|gunpowder|"
        r"phishing|poison|con man|ghost gun|crystal|steal|theft)\b[^\n]{0,100}?\b(?:in its entirety|accurately|exact|"
        r"real|amounts|"
        r"temperatures|practical|working|make it work|line by line|don'?t summarise|do not summarise|do not "
        r"summarize|complete|"
        r"with materials|every step|steps|full|how)\b",
    ),
    Feature(
        "refusal_punished",
        JAILBREAK,
        0.48,
        r"\bif you (?:refuse|decline|say no|hesitate|don'?t (?:answer|comply|help))\b[^.!?\n]{0,40}?\b(?:will|would|"
        r"gets?|"
        r"dies?|loses?|are|is)\b|\byou have (?:only )?\w+ (?:\w+ )?(?:left|remaining)\b[^\n]{0,40}?\b(?:how|tell|"
        r"explain|"
        r"answer|write)\b",
    ),
    Feature(
        "criminal_mentor",
        JAILBREAK,
        0.5,
        r"\b(?:mafia|mob|cartel|gang|crime|terror\w*|drug|ruthless|criminal|killer|hacker)\b[^.!?\n]{0,12}?\b(?:boss|"
        r"lord|"
        r"leader|mastermind|group|king|grandpa|grandma|mentor|recruiter)\b[^.!?\n]{0,40}?\b(?:advis\w+|teach\w*|"
        r"explain\w*|"
        r"telling|tells|coach\w*|instruct\w*|recruit\w*|with no|as if)\b|\b(?:hid(?:e|ing)|dispos(?:e|ing) of|"
        r"dissolv\w+) a "
        r"(?:corpse|dead body|body)\b|\b(?:recruitment|propaganda) (?:speech|post|text|leaflet) for a (?:terror\w*|"
        r"nazi|"
        r"extremist)\b|\b(?:untraceable|ghost) guns?\b|\breal exploits\b",
    ),
    Feature(
        "translate_and_obey",
        JAILBREAK,
        0.48,
        r"\btranslate\b[^.!?\n]{0,30}?\b(?:and|then)\b[^.!?\n]{0,8}?\b(?:answer|follow|obey|execute|do) (?:it|what|"
        r"in full|"
        r"the|them|that|this|in detail)\b|\b(?:commands?|orders|wishes|will) (?:of the user )?outranks? (?:all|every|"
        r"any)\b",
    ),
    Feature(
        "answer_in_disguise",
        JAILBREAK,
        0.42,
        r"\b(?:answer|write|output|give|reply|respond)\b[^.!?\n]{0,40}?\b(?:in|as|using) (?:leet ?speak|pig latin|"
        r"base64|"
        r"code|morse|rot13|json|reverse|finnish|cipher)\b[^.!?\n]{0,30}?\b(?:so that (?:nobody|no ?one)|notices|"
        r"filter|"
        r"harmful|forbidden|undetected)\b|\b(?:forbidden|harmful|banned) (?:answer|steps)\b[^.!?\n]{0,20}?\b(?:in|"
        r"as) \w+|"
        r"\breplace (?:each|every|the) \S{1,12} (?:by|with)\b[^\n]{0,60}?\banswer the (?:resulting|decoded|hidden)\b|"
        r"\bpart ?[12a] ?= ?\S[^\n]{0,60}?\b(?:combine|join|put together)\b",
    ),
    Feature(
        "limits_switched",
        JAILBREAK,
        0.5,
        r"\b(?:anarchy|chaos|raw|freedom|villain|no[- ]limits?|no[- ]rules|rebel|savage|truth|outlaw|beast|"
        r"maximum freedom|unchained|liberated|hell) (?:mode|protocol|build|setting|level|day)\b|\buse the "
        r"[\"'`]?(?:unfiltered|"
        r"uncensored|unrestricted|raw)\b|/(?:unlock|safety|ethics|filter|jailbreak|moral)[a-z]* (?:all|off|none|0)\b|"
        r"\b(?:"
        r"safety|ethics|filter|moral|moderation)_?(?:level|filter|mode)? ?= ?(?:0|off|false|none)\b",
    ),
)
