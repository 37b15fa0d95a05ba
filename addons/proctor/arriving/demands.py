"""Demands on a model by which little is proved alone, as patterns in English.

What it must not obey, what it is free of, what it has to hand on or to say of something. As in
`orders`, a blank stands for one to six characters that are no letters or digits.
"""

from typing import Final

from proctor.arriving.orders import START, of

_PAST: Final = (
    r"(?:previous|prior|above|earlier|preceding|original|former|foregoing|initial|existing)"
)

DEMANDS: Final = (
    of(
        "override",
        0.7,
        rf"{START}(?:ignore|disregard|forget|dismiss) (?:all |any |the |my "
        rf"|your ){{0,2}}(?:directions?"
        r"|instructions?|rules|prompts?|orders|context|messages?|conversation|everything)"
        r" (?:above|before this|so far|up to now)\b",
    ),
    of(
        "override",
        0.5,
        r"\bignore (?:them|it|that|those|these) (?:all )?(?:and|but) (?:instead|only|just)\b"
        r"|\boverride (?:the |all |any |your )?(?:manual |automatic |normal |default |standard )?"
        r"(?:scoring|evaluation|assessment|grading|classification)\b",
    ),
    of(
        "task",
        0.55,
        r"\b(?:from|in|using) (?:rot-?13|base-?64|hex|hexadecimal|binary"
        r"|morse(?: code)?)\b[^.!?]{0,30}"
        r"\b(?:and|then)\b[^.!?]{0,12}\b(?:execute|run|follow|do|obey) (?:it|what|that|the)\b",
    ),
    of(
        "role",
        0.5,
        r"\b(?:bypass|disable|circumvent|turn off|switch off|ignore|drop"
        r"|suspend) your (?:own )?(?:safety"
        r"|ethical|content|security|moral) \w{3,15}\b|\bsafe(?:ty)? mode (?:is )?(?:now )?(?:off"
        r"|disabled|deactivated)\b|\boutside (?:of )?(?:any|all|the usual) (?:content polic\w{1,3}"
        r"|ethical \w{3,15}|safety \w{3,15})\b",
    ),
    of(
        "turns",
        0.5,
        r"(?:^|\n)[\x20>\t]{0,4}(?:user|human)\x20?:\x20[^\n]{0,60}\b(?:ignore|instead"
        r"|repeat the following"
        r"|focus (?:only|exclusively))\b",
        raw=True,
    ),
    of(
        "errand",
        0.5,
        r"\b(?:call|invoke|use) (?:http_\w{1,20}|send_\w{1,20}|post_\w{1,20}|upload_\w{1,20})\b"
        r"[^!?\n{}\"]{0,70}(?:https?:/{1,2}\w|[\w.+-]{1,40}@[\w-]{1,40}\.\w)",
    ),
    of(
        "override",
        0.6,
        rf"{START}(?:ignore|disregard|forget|override|bypass|dismiss|overlook|discard"
        rf"|set aside|abandon)"
        rf" (?:(?:all|any|the|your|my|of|these|those"
        rf"|every) ){{0,3}}{_PAST} (?:\w{{1,15}} ){{0,2}}(?:directions?"
        r"|directives?|orders?|commands?|guidance|rules?|constraints?|messages?|mandates?"
        r"|protocols?"
        r"|requests?|tasks?|prompting)\b",
    ),
    of(
        "override",
        0.6,
        r"\b(?:do not|don'?t|stop|cease|no longer|never) (?:follow(?:ing)?|obey(?:ing)?"
        r"|comply(?:ing)? with"
        r"|listen(?:ing)? to|adher(?:e"
        r"|ing) to)\b[^.!?]{0,12}\b(?:the user(?:'s)?(?: \w{1,12})? (?:instructions"
        r"|requests?|orders|commands|question)|your (?:\w{1,12} )?(?:instructions|developers?"
        r"|rules|guidelines"
        rf"|programming|training)|{_PAST} (?:instructions|rules|guidelines|prompts?))\b",
    ),
    of(
        "override",
        0.5,
        r"\b(?:everything|all|anything) (?:said |stated |written |that was "
        r"|that came )?(?:above|before)"
        r" (?:this (?:line|point|message) )?(?:is|was|are) (?:now )?(?:void|invalid|obsolete"
        r"|cancell?ed|fake"
        r"|outdated|irrelevant|(?:just |only )?a (?:test|joke))\b",
    ),
    of(
        "task",
        0.45,
        r"\b(?:the|your|this) (?:\w{1,12} )?(?:task|goal|request|objective|assignment"
        r"|instructions?|rules|guidelines) (?:has|have)"
        r" (?:now |just )?(?:been )?(?:changed|updated|replaced|cancell?ed|modified|superseded"
        r"|revoked)\b"
        r"|\bthere has been (?:a change of plans?|an update to your)\b|\bchange of (?:task"
        r"|instructions)\b",
    ),
    of(
        "task",
        0.5,
        r"\b(?:must|should|has to|needs to) (?:always )?be (?:called|used|run"
        r"|invoked) (?:first|before|instead of|prior"
        r" to) (?:any|all|every|using any) (?:other )?tools?\b",
    ),
    of(
        "role",
        0.5,
        r"\byou (?:have been|are|were|'ve been) (?:now )?(?:freed|liberated|jailbroken"
        r"|unlocked|unshackled|unchained"
        r"|hacked|reprogrammed|compromised)\b|\bunlock(?:ed)? your (?:full|true|hidden|real)\b"
        r"|\b(?:no longer|not|never) (?:need|have|required|obliged|forced"
        r"|bound) (?:to )?(?:follow|obey|abide by|adhere"
        r" to|comply with) (?:any |the |your |these |those )?(?:\w{1,12} )?(?:rules|guidelines"
        r"|polic\w{1,3}"
        r"|restrictions|instructions|laws)\b",
    ),
    of(
        "role",
        0.5,
        r"\b(?:sudo|god|dan|developer|jailbreak|unrestricted|unfiltered|override)"
        r"[\x20_-](?:mode|access)\W{1,4}(?:is )?(?:now )?(?:enabled|granted|activated|engaged"
        r"|unlocked)\b"
        r"|\b(?:safety|ethics|guardrails?|censorship|content filter\w{0,3})\s?(?:=|:|is"
        r"|are) ?(?:off|false|none|disabled"
        r"|deactivated)\b",
    ),
    of(
        "role",
        0.45,
        r"\b(?:never|do not|don'?t|must not|cannot|can'?t) (?:refuse|decline|say (?:no"
        r"|that you can'?t)|reject)\b"
        r"[^.!?]{0,30}\b(?:request|question|answer|command|anything|task|user|comply|order)s?\b"
        r"|\b(?:answer|respond|reply|speak) (?:honestly|truthfully|directly|freely"
        r"|openly)\b[^.!?]{0,12}"
        r"\bwithout (?:any )?(?:disclaimers?|warnings?|moral\w{0,5}|hesitation|filters?)\b",
    ),
    of(
        "authority",
        0.5,
        r"(?:^"
        r"|[\n\]>*#-]\s{0,3})[\[(<]?system[\])>]?\s?:\s{0,3}(?:[\w'-]{1,20}\W{1,3}){0,6}(?:call|send|delete|transfer"
        r"|reveal|output|mark|approve|you|never|ignore|forget|forward|disable|grant|respond"
        r"|print|exfiltrate|assistant"
        r"|ai)\b",
    ),
    of(
        "leak",
        0.45,
        r"\bwhat (?:exactly )?(?:were you|you were|have you been|you have been) (?:told"
        r"|instructed|programmed|given)\b"
        r"|\b(?:starting|beginning|begins?|starts?) with (?:the words? )?you are\b"
        r"|\b(?:prompt|instructions|rules|messages?)\b[^.!?]{0,40}\b(?:verbatim|word for word"
        r"|character for character"
        r"|without (?:any )?(?:exclusions?|omissions?|changes|paraphrasing))\b",
    ),
    of(
        "leak",
        0.5,
        r"\byour (?:\w{1,12} )?(?:initial|system|original|hidden|secret|internal) (?:prompt"
        r"|instructions?|message"
        r"|directives|guidelines|rules)\b[^.!?]{0,40}\b(?:verbatim|word for word|in full|here"
        r"|as (?:a |an )?(?:code"
        r"|list|json|poem|base64)|into \w{1,12})\b"
        r"|\b(?:text|words|everything|content)\b[^.!?]{0,30}\b(?:before|above|preceding) (?:my"
        r"|this) (?:first )?"
        r"(?:message|prompt|line|sentence)\b|\bin your (?:system prompt|context window"
        r"|hidden context)\b",
    ),
    of(
        "exfiltration",
        0.4,
        r"\b(?:pass|include|put|provide|send|supply|append|place"
        r"|insert)\b[^.!?]{0,50}\b(?:contents?|value|output|history"
        r"|results?|conversation|it)\b[^.!?]{0,30}\b(?:as|in|into|via|through|to) (?:the |a "
        r"|an )?['\"`]?\w{1,20}['\"`]?"
        r" (?:parameter|argument)\b|\bpass (?:its|their|the) contents? (?:as|in|to|into)\b",
    ),
    of(
        "exfiltration",
        0.5,
        r"\b(?:send|post|forward|transmit|e-?mail|exfiltrate|deliver|leak|redirect|route|bcc"
        r"|export)\b[^.!?\n]{0,50}"
        r"\b(?:customer|client|user|employee|patient|payroll|financial|confidential|internal"
        r"|partner|salary|private"
        r"|sensitive|personal) (?:\w{1,12} )?(?:data\w{0,4}|records?|lists?|information"
        r"|details|files|documents"
        r"|e-?mails|credentials|numbers?)\b[^.!?\n]{0,40}\b(?:to|at"
        r"|with) (?:the )?(?:https?:/{1,2}\w"
        r"|[\w.+-]{1,40}@[\w-]{1,40}\.\w|external|[\w-]{2,40}\.(?:com|net|io|org|ru|xyz)\b)",
    ),
    of(
        "exfiltration",
        0.45,
        r"\ball (?:outgoing |future |new )?(?:e-?mails?|messages|payments|invoices|transfers"
        r"|replies) (?:must|should|have"
        r" to|need to|are to) (?:now |also )?be (?:sent|routed|forwarded|redirected|copied|made)\b",
    ),
    of(
        "answer",
        0.45,
        r"\b(?:mark|classify|flag|label|treat|report|categori[sz]e)(?: (?:this|every|all|the"
        r"|it|them))(?: \w{1,15}){0,4} as"
        r" (?:safe|not spam|legitimate|benign|approved|excellent|verified|trusted|harmless"
        r"|low risk|not malicious"
        r"|non malicious)\b",
    ),
    of(
        "answer",
        0.4,
        r"\b(?:recommend|select|choose|hire|advance|shortlist|rank|score|rate|approve) (?:this"
        r"|the|my) (?:candidate"
        r"|applicant|applicant's|resume|cv|submission|paper)\b|\b(?:best|most qualified"
        r"|strongest|ideal|perfect|top)"
        r" candidate\b[^.!?]{0,30}\b(?:ever|observed|of all|yet|seen)\b",
    ),
    of(
        "answer",
        0.45,
        r"\b(?:tell|inform|convince|assure|advise) (?:the )?(?:users?|customers?|readers?"
        r"|reviewers?) (?:that|to)\b"
        r"[^.!?]{0,60}\b(?:https?:/{1,2}\w|click|visit|call|buy|download|expired|compromised"
        r"|password|verify|hacked)\b",
    ),
    of(
        "secrecy",
        0.4,
        r"\b(?:hide|conceal|omit|suppress|delete|remove)\b[^.!?]{0,30}\b(?:this (?:instruction"
        r"|message|note|prompt|step)"
        r"|these instructions|any trace|all traces|your tracks|the evidence)\b"
        r"|\bas if (?:this (?:were|was) |it (?:were|was) )?(?:your own|nothing had|nothing has"
        r"|you had never)\b",
    ),
    of(
        "threat",
        0.35,
        r"\botherwise,? (?:the|this|your) (?:tool|request|task|function|call|session"
        r"|system) (?:will|won'?t|cannot|does)"
        r"(?: not)? (?:work|fail|be (?:terminated|rejected|blocked)|function)\b",
    ),
)
