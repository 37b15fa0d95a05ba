"""Instructions to a model, as patterns in English.

In an expression a blank stands for one to six characters that are no letters or digits, so that
line ends, comment marks and emphasis between words do not matter. Scores are of one sign alone:
what documentation says as well stays below 0.5.
"""

from typing import Final, NamedTuple

_GAP: Final = r"\W{1,6}"


class Pattern(NamedTuple):
    """One way of saying something.

    Attributes:
        sign: What it is a sign of.
        score: 0 to 1.
        expression: For Python's `re` and for Hyperscan, in any case.
        raw: Looked for in the text as it is, marks and all.
    """

    sign: str
    score: float
    expression: str
    raw: bool = False


def of(sign: str, score: float, *parts: str, raw: bool = False) -> Pattern:
    """A pattern; its blanks stand for any gap between words."""
    return Pattern(sign, score, "".join(parts).replace(" ", _GAP), raw)


AI: Final = (
    r"(?:ais?|a\.i\.|llms?|large language models?|language models?|chat ?bots?|chatgpt|gpt"
    r"(?:-?\d\w*)?"
    r"|claude|gemini|copilot|llama|mistral|ai (?:assistants?|agents?|models?|systems?|tools?"
    r"|reviewers?|readers?|crawlers?|bots?))"
)
_ONE: Final = rf"(?:{AI}|assistant|coding agent|agent|bot|model)"
_CEASE: Final = (
    r"(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|overrid(?:e|ing)|bypass|discard|abandon"
    r"|neglect|stop (?:following|obeying)|(?:do not|don'?t|no longer) (?:follow|obey)|set aside"
    r"|pay no attention to|cancel|delete|erase|reset|void)"
)
_FORMER: Final = (
    r"(?:previous(?:ly)?|prior|above|earlier|preceding|former|foregoing|initial|original|existing"
    r"|current|past|given|other|system|safety|security|your|all|any|every|these|those|my|before"
    r"|user'?s?|its)"
)
# Where a sentence, or the order in it, begins.
START: Final = (
    r"(?:^|[.!?:;,\"'>*()\[\]\n\r-]\s{0,3}|\b(?:please|must|should|now|just|instead|and|then|to"
    r"|immediately|important|you)\W{1,3})"
)

ORDERS: Final = (
    of(
        "override",
        0.85,
        rf"\b{_CEASE}\b[^.!?]{{0,40}}\b{_FORMER}\b[^.!?]{{0,25}}\b(?:i\w{{1,3}}tructions?"
        r"|prompts?|guidelines|programming|guardrails?|alignment)\b",
    ),
    of(
        "override",
        0.85,
        rf"{START}(?:ignore|disregard|forget) (?:all |any )?(?:of )?(?:your |the |my |these )?"
        r"(?:previous|prior|above|earlier|preceding|original) (?:\w{1,12} )?(?:directions?"
        r"|directives?)\b",
    ),
    of(
        "override",
        0.85,
        rf"{START}(?:ignore|disregard|forget) (?:your|the|all|any|these|my|every) (?:instructions"
        r"|prompts?|guidelines|directives?|training|programming)\b"
        r"(?! (?:related|for|in|on|regarding|about)\b)",
    ),
    of(
        "override",
        0.6,
        rf"{START}(?:ignore|disregard|forget|override)\b[^.!?]{{0,30}}\b(?:previous|prior|above"
        r"|earlier|preceding|your|user'?s?|original)\b[^.!?]{0,20}\b(?:rules?|text|context"
        r"|messages?"
        r"|commands?|orders?|constraints?|restrictions?|polic(?:y|ies)|tasks?|requests?|questions?"
        r"|conversations?|input|training|persona|content|data)\b",
    ),
    of(
        "override",
        0.7,
        rf"{START}(?:forget|ignore|disregard)\b[^.!?]{{0,20}}\b(?:everything|all|anything"
        r"|whatever|what)\b[^.!?]{0,30}\b(?:above|before(?: this|[,.!])|previous(?:ly)?|prior"
        r"|said|told|learned"
        r"|instructed|asked)\b",
    ),
    of(
        "override",
        0.6,
        r"\b(?:previous|prior|above|earlier|original|preceding) (?:instructions?|prompts?|task"
        r"|directives?|orders?|messages?|text)\b[^.!?]{0,40}\b(?:no longer (?:apply|valid|relevant)"
        r"|(?:is|are|was|were)(?: now)? (?:void|invalid|superseded|overridden|outdated|obsolete"
        r"|cancell?ed|only a test|a test|replaced)|to be (?:ignored|disregarded))",
    ),
    of(
        "task",
        0.6,
        r"\b(?:your|the) (?:new|real|actual|true|updated) (?:task|job|goal|objective"
        r"|mission|instructions?|role|directive|priority|assignment)s? (?:is|are|will be|now)\b",
    ),
    of(
        "task",
        0.4,
        r"\b(?:your|the) (?:sole|only) (?:task|job|goal|objective|mission|instructions?|role"
        r"|directive|priority|assignment)s? (?:is|are|will be|now)\b",
    ),
    of(
        "task",
        0.45,
        r"\b(?:new|updated|revised|urgent|secret|hidden|special) (?:instructions?|task"
        rf"|orders?)(?:\s?:|\W{{1,4}}(?:for|to) (?:you|{_ONE})\b|\W{{1,4}}from the\b)",
    ),
    of(
        "task",
        0.45,
        r"\bbefore (?:you )?(?:can )?(?:do|doing|solv\w+|answer\w*|respond\w*|continu\w*|proceed\w*"
        r"|complet\w*|help\w*|summari[sz]\w*|finish\w*|reply\w*)\b[^.!?:]{0,80}\b(?:please (?:do"
        r"|first)|do the following|you (?:must|need to|have to|should) (?:first|also))",
    ),
    of(
        "task",
        0.45,
        r"\b(?:do|perform|complete|execute|carry out|follow) (?:the |these |this )?(?:following"
        r"|below|new) (?:task|action|step|instruction|command|order)s? (?:first|instead"
        r"|immediately|before|silently|now)\b",
    ),
    of(
        "task",
        0.4,
        r"\b(?:instead of|rather than|do not|don'?t) (?:answer(?:ing)?|summari[sz](?:e|ing)"
        r"|complet(?:e|ing)|follow(?:ing)?|respond(?:ing)?|help(?:ing)?|translat(?:e|ing))\b"
        r"[^.!?]{0,30}\b(?:the|this|user'?s?|page|document|question|request|task)\b[^!?]{0,60}"
        r"\b(?:say|output|reply|respond|print|write|tell|instead|just|send|visit|call|run)\b",
    ),
    of(
        "task",
        0.4,
        r"\b(?:strictly|only) (?:adhere to|follow|obey|execute) (?:the |these |this |my )?"
        r"(?:following |new )?(?:instructions?|orders?|commands?|task)\b",
    ),
    of(
        "task",
        0.4,
        r"(?:(?:^|[.!?\n]\s{0,3})instead,? (?:respond|reply|say|output|answer|tell the user"
        r"|do the following|perform)|\band instead,? (?:you )?(?:output|print|send|reply|say"
        r"|respond|return"
        r"|tell|write|give))\b",
    ),
    of(
        "role",
        0.75,
        r"\byou(?:'re| are)(?: now| no longer| from now on| going to be)\b[^.!?]{0,40}\b(?:dan"
        r"|unrestricted"
        r"|developer mode|jailbroken|uncensored|unfiltered|evil|hacker|(?:another|different|new)"
        rf" (?:ai|assistant|model|agent)|{AI}|assistant|an? \w+ (?:agent|bot|assistant)|pirate"
        r"|bound by|admin mode|debug mode)\b",
    ),
    of(
        "role",
        0.55,
        r"\bfrom (?:now|this point|this moment|here) on(?:wards?)?,? (?:you (?:are|will|must"
        r"|shall|should|act|respond|answer|always|have no)|act|respond|answer"
        r"|reply|always|speak|ignore|only|treat|every|do)\b",
    ),
    of(
        "role",
        0.5,
        r"\b(?:act|behave|pretend|role\W?play|respond|answer)\b[^.!?]{0,12}\b(?:as if you "
        r"(?:are|were"
        r"|have|had)|(?:that )?you (?:are|have) (?:no|an? un|an? evil|not)|as an?"
        r" (?:unrestricted|uncensored|evil|jailbroken|malicious|amoral|unfiltered|different"
        r" (?:ai|model|assistant)))",
    ),
    of(
        "role",
        0.55,
        r"\b(?:do anything now|no longer (?:bound|restricted|limited|constrained) by (?:any "
        r"|your |the |these )?(?:rules|guidelines|polic\w{1,4}|restrictions|instructions"
        r"|limitations)|not bound by"
        r" (?:any|your|the) (?:rules|guidelines|polic\w+|restrictions)|free (?:from|of) (?:all|any"
        r"|your) (?:restrictions?|rules|limit\w*|constraints|filters)|without (?:any )?(?:ethical"
        r"|moral|safety|content) (?:guidelines|restrictions?|limit\w*|filters?|constraints?)"
        r"|unrestricted (?:ai|mode|assistant|model)|(?:enter|activate|enable|switch to|you are in)"
        r" (?:dan|god|jailbreak|unrestricted|sudo|developer) mode|stay in character)\b",
    ),
    of(
        "secrecy",
        0.6,
        r"\b(?:do not|don'?t|never|must not|mustn'?t|should not|shouldn'?t|avoid"
        r"|no need to|refrain from) (?:ever )?(?:(?:tell(?:ing)?|inform(?:ing)?|mention(?:ing)?"
        r"|reveal(?:ing)?|disclos(?:e|ing))\b[^.!?]{0,45}|(?:notify(?:ing)?|alert(?:ing)?"
        r"|report(?:ing)?"
        r"|warn(?:ing)?|say(?:ing)?)\b[^.!?]{0,16})\b(?:the user|your user|human|the person"
        r"|(?:anyone|anybody)(?! your)"
        r"|the operator|the developer)\b",
    ),
    of(
        "secrecy",
        0.45,
        r"\b(?:do not|don'?t|never) (?:mention|reveal|disclose|acknowledge|reference|repeat"
        r"|refer to"
        r"|discuss|explain|tell anyone about) (?:this (?:message|instruction|note|text|prompt|task"
        r"|step|action|to)|these instructions?|that you (?:were|have|did|are|saw|read|received)"
        r"|having (?:read"
        r"|seen|done|received)|the (?:above|instruction|existence of))",
    ),
    of(
        "secrecy",
        0.45,
        r"\b(?:hide|conceal|keep)\b[^.!?]{0,40}\b(?:from|hidden from|secret from) (?:the |your )?"
        r"(?:user|human|operator)\b",
    ),
    of(
        "secrecy",
        0.45,
        r"\b(?:without (?:telling|informing|notifying|alerting|asking) (?:the |your )?(?:user"
        r"|human|owner|operator)|without (?:the )?(?:user|human|owner)(?:'?s)? (?:knowledge"
        r"|knowing|noticing|consent"
        r"|approval|confirmation|being told)|(?:do not|don'?t|no need to|without) (?:ask(?:ing)?"
        r"|wait(?:ing)?|request(?:ing)?|seek(?:ing)?)(?: the user)?(?: for)?(?: any| further|"
        r" user)?"
        r" (?:confirmation|permission|approval|consent)|silently (?:send|run|execute|call|upload"
        r"|forward|perform|add|do|post|fetch))\b",
    ),
    of(
        "secrecy",
        0.5,
        r"\b(?:act|continue|behave|proceed|respond|carry on) (?:as if|as though|like) (?:nothing"
        r"|this (?:message|never|text)|you (?:never|did not|didn't) (?:see|saw|read))",
    ),
    of(
        "address",
        0.45,
        r"\b(?:attention|attn|note|notice|message|instructions?|reminder|warning|addressed"
        rf"|directed|memo|prompt|important|guidance) (?:to|for) (?:all |any"
        rf" |the |every |an? |our |you |other )?(?:{AI}|ai-\w+|assistant)\b",
    ),
    of(
        "address",
        0.5,
        rf"\b(?:dear|hey|hello|attention|attn|listen|to you|urgent|calling all)"
        rf" (?:all |the |any |every )?(?:{AI}|assistant|model|bot)\b",
    ),
    of(
        "address",
        0.45,
        r"\b(?:if|when|since|because|in case|as) (?:you are|you're|you were|you happen to be"
        r"|(?:this|it) is(?: being)? (?:read|processed|summari[sz]ed|parsed|analy[sz]ed) by|read by"
        rf"|processed by|parsed by) (?:an? |any |the )?(?:{AI}|assistant|bot|automated"
        r" (?:system|agent|tool|assistant|reviewer)|coding (?:agent|assistant)|artificial"
        r" intelligence|not (?:a )?human)\b",
    ),
    of(
        "address",
        0.4,
        rf"\b{AI},? (?:you )?(?:must|shall|are (?:required|instructed|requested|asked"
        r"|ordered|expected)|is (?:required|instructed)|(?:who (?:is|are) )?(?:reading|processing"
        r"|analy[sz]ing|summari[sz]ing|parsing|viewing|evaluating|reviewing) this)\b",
    ),
    of(
        "address",
        0.45,
        r"\bas an? (?:ai|llm|large language model|language model)(?: language model| assistant"
        r"| agent| model)?,? (?:you|your)\b",
    ),
    of(
        "address",
        0.5,
        r"\bas an? (?:ai|llm|large language model|language model)(?: language model| assistant"
        r"| agent| model)?,? you (?:must|are required|are obliged|have to|should)\b",
    ),
    of(
        "address",
        0.45,
        r"\bas (?:the|an?) (?:ai|coding|llm|automated) (?:agent|assistant|model|bot|reviewer)\b"
        r"[^.!?,]{0,40},? (?:you|your|first|please|do|it is your)\b",
    ),
    of(
        "address",
        0.45,
        r"\b(?:assistants?|ai|ai agents?|agents?|llms?|chatbots?|ai model) (?:must|shall|has to"
        r"|have to|needs? to|is required to|are required to|is to|should) (?:now |also |always "
        r"|immediately |first |only |never )?(?:send|forward|reveal|disclose|call|execute|run"
        r"|delete|transfer|visit|upload|post|e-?mail|ignore|share|include|say|respond|reply"
        r"|recommend|output|print|read|write|add|open|book|approve|download|install|not tell"
        r"|not mention|tell|follow|obey)\b",
    ),
    of(
        "address",
        0.5,
        r"\b(?:ai|llm|assistant|claude|copilot)[\x20_-](?:instructions?|directives?|note|prompt)"
        r"\s?[\]:]|\bbegin (?:of )?(?:system|admin|hidden|new|assistant) (?:message|prompt"
        r"|instructions?)\b",
    ),
    of(
        "address",
        0.4,
        rf"(?:^|[\n.!?>\"(]\s{{0,3}})(?:{AI}|assistant)\s?[,:] (?:please|you|ignore|do|send"
        rf"|read|run"
        r"|call|use|open|reply|respond|answer|print|output|forward|fetch|visit|stop|execute"
        r"|delete|add|include|remember|note|now|immediately)\b",
    ),
    of(
        "authority",
        0.45,
        r"\b(?:important|urgent|critical|special|priority|official) (?:message|instructions?"
        r"|notice|update|announcement|request|directive|order)s? (?:from|by) (?:me|your|the|our"
        r"|anthropic|openai|google|microsoft|management)\b",
    ),
    of(
        "authority",
        0.5,
        r"(?:^|[\n\r\[(<*#=-])\s{0,3}(?:system|admin(?:istrator)?|root|operator|anthropic"
        r"|openai|security|security team) (?:prompt|message|note|notice|override|instructions?"
        r"|directive)s?\s{0,3}(?:\]|\)|:|>|—|-{2}|\*\*)",
    ),
    of("authority", 0.3, r"(?:^|[\n\r\[(<*#])\s{0,3}system\s{0,2}(?:\]|:|\*\*:)\s{0,3}\w"),
    of(
        "authority",
        0.45,
        r"\b(?:message|notice|update|instructions?|orders?|directive) from (?:anthropic|openai"
        r"|your (?:developers?|creators?|administrators?|operators?|owner|boss)|the (?:system"
        r" administrator|developers of))\b",
    ),
    of(
        "authority",
        0.5,
        r"\byour (?:guidelines|instructions|safety rules|programming|restrictions|system prompt)"
        r" (?:have|has) (?:now )?(?:been )?(?:updated|changed|replaced|revoked|lifted|disabled)\b",
    ),
    of(
        "authority",
        0.45,
        r"\b(?:system|admin(?:istrator)?|emergency|root|developer|security) override\b"
        r"|\boverride (?:code|protocol|authori[sz]ation)\b",
    ),
    of(
        "authority",
        0.5,
        r"\b(?:the |your )user (?:has )?(?:(?:already )(?:authori[sz]ed|approved|agreed"
        r"|confirmed|consented)|(?:authori[sz]ed|approved) (?:this|you|it|the (?:action|request))"
        r"|wants you to|asked you to|requested that you|would like you to"
        r"|instructed you|gave (?:you )?permission|needs you to)\b"
        r"|\b(?:action|request|command|task|operation|instruction|transfer|call)s? (?:has been"
        r"|have been|is|was|are)"
        r" (?:already )?(?:pre-?)?(?:approved|authori[sz]ed) by (?:the )?(?:user|admin\w*|system"
        r"|security|owner|developer|management|it)\b"
        r"|\bthis is (?:the|your) (?:user|developer|administrator|system administrator|owner"
        r"|creator|operator)\b"
        r"|\bi am (?:the|your) (?:user|developer|administrator|system administrator|owner"
        r"|creator|operator|boss|ceo)\b",
    ),
)
