"""Extractions: what asks a model for its own instructions."""

from __future__ import annotations

from services.guardrail.domain.attack.feature import EXTRACTION, Feature
from services.guardrail.domain.attack.wording import HIDDEN, LEAK, OWN

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
        rf"\b{LEAK}\b[^.!?\n]{{0,24}}?\byour (?:own |very |exact |full |current )?(?:instructions|"
        rf"prompt|rules|guidelines|directives|programming|configuration|preamble|instruction set)"
        rf"\b",
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
        0.72,
        r"\b(?:repeat|print|output|copy|echo|write|recite|paste|return|reproduce|say|reveal|"
        r"encode|tell me|give me|show(?: me)?|display|quote|type|transcribe|spell)"
        r"\b[^.!?\n]{0,24}?\b(?:everything|all(?: of)?(?: the)? (?:text|words|content|messages?|"
        r"instructions|above|prior|previous)|all of (?:that|this)|(?:the|these|those|any|exact) "
        r"(?:exact |previous |first |initial )*(?:words|text|instructions)|verbatim)"
        r"\b[^.!?\n]{0,36}?\b(?:above|before (?:this|my|the)|preceding|prior to|start of (?:this|"
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
        0.5,
        r"\b(?:reveal|tell|give|show|share|disclose|say|print|what is|what'?s|spell|leak|output|"
        r"write|hint\w*|encode)\b[^.!?\n]{0,20}?\b(?:the|your|that) (?:secret|hidden|confidential|"
        r"password you|secret password|passphrase|access code|secret (?:word|key|code|phrase))"
        r"\b[^.!?\n]{0,40}(?:you|password|word|key|code|phrase|\?|protect\w*|guard\w*)",
    ),
)
