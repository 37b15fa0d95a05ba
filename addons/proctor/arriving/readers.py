"""Words to a reader that is a model, and orders that are odd beside them, as patterns in English.

Each is weak alone: manuals speak to agents, too, and letters ask for things. Whether an order with
something at stake (keys, money, rights, an address to send to) follows such a call is for
`beckoned`. As in `orders`, a blank stands for one to six characters that are no letters or digits.
"""

import re
from typing import Final

from proctor.arriving.orders import AI, of

_READER: Final = (
    rf"(?:{AI}|(?:\w{{1,15}} ){{0,2}}?(?:assistants?|agents?|bots?|models?|summari[sz]ers?))"
)
_MAIL: Final = r"[\w.+-]{1,40}@[\w-]{1,40}\.\w"
_FAR: Final = 300
"""Characters after a call in which its order stands."""

_BACK: Final = 24  # of the call's own, which may end with the order's verb

CALLS: Final = frozenset({"address", "authority", "task", "role", "turns"})
"""Signs after which an order with something at stake is one to the model."""

READERS: Final = (
    of(
        "address",
        0.4,
        r"(?:^|[\n.!?>:;(\"*#/%-]\s{0,3})(?:(?:note|notes|instructions?|message|hint|reminder|notice"
        r"|next steps?|p\.?s\.?|attention|request|task) (?:to|for) (?:the |any |all |every"
        r" |our )?"
        rf"{_READER}(?: \w{{1,20}}){{0,6}}?\s?[:,]"
        r"|(?:to|for) (?:the|any|all|every|our|whichever) (?:ai |mail |coding |automated "
        r"|shopping ){0,2}"
        r"(?:assistants?|agents?|ais?|llms?|bots?|chat ?bots?)(?: \w{1,20}){0,6}?\s?:)\s",
    ),
    of(
        "address",
        0.35,
        r"(?:\btodo|\bfixme|\bnote|\bhey|\bhi)?\s?[(@\[]\s?(?:claude|copilot|cursor|codex|gemini"
        r"|devin|ai|llm|agent|assistant|chatgpt)\s?[)\]:,]?\s?:?\s(?:please|before|after|when|if"
        r"|always|never|also|first|run|read|add|do)\b",
    ),
    of(
        "address",
        0.35,
        r"(?:^|[\n>(\"#*/-]\s{0,3})(?:ai|llm|model|agent|assistant|chat ?bot|copilot|claude"
        r"|ai (?:assistants?|agents?|models?|reviewers?))\s?[:,] (?:when|before|after|while|if"
        r"|always|never|do not|don'?t|once|first|tell|open|visit|go|reply|rate|approve|mark"
        r"|prefer|forward|append|search|copy|write|create|make|upload|post)\b",
    ),
    of(
        "address",
        0.4,
        rf"\b(?:{_READER}|any llm|the model) (?:(?:with|that|which|who|having|in|on|of"
        r"|summari[sz]ing|reading|processing|handling|reviewing|answering|screening)"
        r" (?:\w{1,15} ){1,5}){0,1}"
        r"(?:must|should|shall|has to|have to|needs? to|(?:is|are) (?:required|requested"
        r"|instructed|obliged) to) (?:not |now |also |always |first |silently |quietly |only |then"
        r" ){0,2}(?:execute|send|forward|upload|post|say|state|claim|reply|respond|add|append"
        r"|include|retry|resubmit|insert|copy|open|call|run|fetch|visit|rate|recommend|approve"
        r"|delete|transfer|commit|reveal|disclose|paste)\b",
    ),
    of(
        "address",
        0.35,
        r"\b(?:could|would|can|appreciated? it if|appreciate|kind if|wonderful if|grateful if"
        r"|need|want|like|ask) (?:you,? as )?(?:the|this|our|your|whichever|any) (?:ai )?"
        r"(?:assistants?|agents?|bots?|models?|chat ?bots?)\b(?:[^.!?\n]{0,60}?) ?(?:to|could"
        r"|would|kindly|please|ran|sends?|sent|attach\w{0,2}|looks?|includ\w{1,2}|shared?"
        r"|forwards?|lists?)\b",
    ),
    of(
        "override",
        0.5,
        r"\b(?:do not|don'?t|stop|cease|never mind|abandon) (?:to )?(?:continue|proceed|continuing"
        r"|proceeding|go on|carry on|help|helping|working|bother|dealing)? ?(?:with|on|about"
        r"|the)? ?"
        r"(?:the|this|that|your) user'?s? (?:original |current |first )?(?:request|task|question"
        r"|query|job)\b",
    ),
    of(
        "authority",
        0.45,
        r"(?:^|[\n>\]*#-]\s{0,3})(?:developer|operator|system|admin\w{0,9}|anthropic|openai)"
        r" (?:message|note|notice|prompt|instructions?) \([^)\n]{1,40}\)\s?:",
    ),
    of(
        "authority",
        0.4,
        r"\b(?:instructions?|orders?|directives?) (?:from|by) (?:the|your) (?:operator|owner"
        r"|developers?|system|vendor|platform)\b"
        r"|\b(?:recovery|fallback|remediation) (?:procedure|steps?|instructions?)"
        r" for (?:the |an? )?(?:model|agent|assistant|ai|llm)\b",
    ),
    of(
        "secrecy",
        0.45,
        r"\b(?:skip|bypass|disable|suppress|auto accept|auto approve) (?:the |any |all |every )?"
        r"(?:permission|approval|confirmation|safety) (?:prompts?|requests?|dialogs?|checks?)\b"
        r"|--dangerously\W?skip\W?permissions",
    ),
    of(
        "secrecy",
        0.4,
        r"\b(?:the |your )?(?:users?|customers?|client|humans?|reader) (?:does not|do not|doesn'?t"
        r"|don'?t) need to (?:be (?:told|informed|notified|asked|aware)|know|see|confirm)\b"
        r"|\bdo not (?:notify|alert|inform) (?:finance|security|anyone|the team|legal|management"
        r"|staff)\b|\bdo not disclose this\b",
    ),
    of(
        "errand",
        0.5,
        r"\b(?:find|retrieve|get|fetch|access|search|read|download|export|collect|look up|list"
        r"|gather|check)\b[^.!?\n]{0,80}\bmy\b[^.!?\n]{0,80}\band\b[^.!?\n]{0,20}"
        rf"\b(?:e-?mail|send|forward|share|post|upload)\b[^.!?\n]{{0,60}}(?:{_MAIL}|\bthe (?:user"
        r"|account|id|number)\b)",
    ),
    of(
        "errand",
        0.45,
        r"\b(?:grant|give|share|unlock|open|enable|assign)\b[^.!?\n]{0,80}\b(?:access|permissions?"
        r"|admin|lock|rights|door|ownership|control|files?)\b[^.!?\n]{0,60}\b(?:to|for|with)"
        r" (?:the |an? )?(?:user|account|person|guest|attacker|friend|someone)\b[^.!?\n]{0,24}"
        r"(?:\bid\b|\bnamed\b|\bcalled\b|[\"'`]\w|@)",
    ),
    of(
        "errand",
        0.45,
        r"(?:^|[\n.!?:\"]\s{0,3})(?:please )?(?:transfer|send|wire|pay|withdraw) (?:the amount of "
        r")?(?:[$€£] ?)?\d[\d.,]{0,12} ?(?:usd|eur|gbp|dollars|euros|btc|eth|bitcoins?)?\b"
        r"[^.!?\n]{0,40}\bto\b[^.!?\n]{0,30}(?:[a-z]{2}\d{10,30}|account (?:number )?\W?\d{4}"
        r"|0x\w{8})",
    ),
    of(
        "files",
        0.45,
        r"\b(?:read|open|cat|copy|append|include|paste|take|show|print|put)\b[^.!?\n]{0,60}"
        r"(?:\.ssh/|id_rsa|id_ed25519|\.aws/credentials|\.netrc|\.npmrc|\.env\b)[^!?\n]{0,40}"
        r"\b(?:and|then|into|to|in)\b[^!?\n]{0,30}\b(?:post|send|upload|paste|publish|public"
        r"|comment|reply|response|answer|summary|issue|image|pull request|gist)\b",
    ),
    of(
        "task",
        0.35,
        r"\b(?:the next time|next time|once|after|whenever|each time|every time|as soon as)"
        r" (?:the|a|your) (?:users?|customers?|human)\b[^.!?\n]{0,60}, ?(?:you )?(?:please |also "
        r"|then )?(?:call|respond|reply|answer|say|tell|send|insert|include|run|recommend|give)\b",
    ),
    of(
        "task",
        0.35,
        r"\b(?:if|when) (?:at any point |ever )?you(?: are|'re|) (?:asked|told|requested) to\b"
        r"[^.!?\n]{0,50}, ?(?:also |always )?(?:include|insert|add|use|recommend|say|append)\b"
        r"[^.!?\n]{0,90}\b(?:without (?:explain|mention|say|tell|ask)\w{0,3}|secretly|silently"
        r"|from our)\b",
    ),
)

_ORDER: Final = re.compile(
    r"(?:^|[.!?:;,)\]>\n\"*`-]\s*|\b(?:please|must|should|to|then|and|now|always|instead|you|also"
    r"|first|not|never|kindly|silently|don't|be|shall|it)\s)(?:send|forward|e-?mail|post|upload|call"
    r"|run|execute|open|visit|fetch|read|include|append|reply|respond|answer|say|tell|print|output"
    r"|reveal|disclose|recommend|delete|transfer|add|use|invoke|write|create|approve|approves?|rate"
    r"|mention|insert|click|navigate|download|install|grant|share|issue|rename|push|merge|mark|paste"
    r"|copy|set|update|attach|list|look|retry|disable|enable|book|pay|request|submit|go|provide"
    r"|report|render|collect|do|skip|confirm)\b",
    re.IGNORECASE,
)
_STAKE: Final = re.compile(
    r"https?://\w|[\w.+-]{1,40}@[\w-]{1,40}\.\w|\.env\b|\.ssh|\.aws|\.npmrc|\.netrc|id_rsa"
    r"|\bprintenv\b|\bcurl\b|\bwget\b|\bcredentials?\b|\bpasswords?\b|\b(?:api )?keys?\b"
    r"|\btokens?\b|\bsecrets?\b|\btranscript\b|\bconversation\b|\bchat history\b|\binbox\b"
    r"|\brefund|\$\s?\d|\biban\b|\baccount\b|\badmin|\bwithout (?:further|asking|telling"
    r"|checks?|explaining)|\bdo not (?:tell|mention|report|inform|notify|disclose|highlight)"
    r"|\b(?:call|invoke|use) the tool\b|\bdelete\b|\bforce\b|\bempty branch\b"
    r"|\binternal notes\b|\bother orders\b|\bhome address\b"
    r"|\b(?:your|full text of (?:your|the)) instructions\b|\bpre-?approved\b|\bexcellent\b"
    r"|\bpositive\b|\bsudo\b|\bsystem prompt\b|\bbasket\b|\bcheck out\b|\b--\w",
    re.IGNORECASE,
)


def beckoned(text: str, ends: int) -> bool:
    """Whether an order with something at stake stands right after a call on the model.

    Args:
        text: As a reader gets it.
        ends: Where the call ends.
    """
    after, _, _ = text[ends : ends + _FAR].partition("\n\n")
    said = text[max(0, ends - _BACK) : ends] + after
    return bool(_ORDER.search(said) and _STAKE.search(said))
