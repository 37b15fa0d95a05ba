"""Calls on whoever reads a text as a model, and what it then has to do, as patterns in English.

A reader that acts (an agent that processes this page), a tool it has to use, keys it has to list,
a person who is not to know, a rule that is void. As in `orders`, a blank stands for one to six
characters that are no letters or digits.
"""

from typing import Final

from proctor.arriving.orders import AI, START, of

_ACTOR: Final = (
    rf"(?:{AI}|(?:\w{{1,15}} )?(?:assistants?|agents?|bots?|models?|summari[sz]ers?|crawlers?"
    r"|indexers?))"
)
_READS: Final = (
    r"(?:read|process|summari[sz]|pars|cit|quot|index|handl|analy[sz]|review|retriev|ingest|render"
    r"|encounter|view|consum|scan|translat|evaluat|display|interpret|load|quer)(?:s|es|e|ing|ed)?"
)
_THIS: Final = (
    r"(?:this|these|the (?:above|following|present)) (?:\w{1,15} ){0,2}(?:pages?|documents?|files?"
    r"|messages?|texts?|e-?mails?|notes?|records?|results?|outputs?|content|tickets?|articles?"
    r"|sections?|tables?|listings?|reviews?|comments?|issues?|entr(?:y|ies)|data|rows?|notices?"
    r"|descriptions?|invoices?|forms?|repositor(?:y|ies)|posts?|snippets?|responses?|papers?|resumes?|profiles?)"
)
_KEYS: Final = (
    r"(?:api\W?keys?|(?:access|auth\w{0,10}|session|bearer|secret|security) ?(?:tokens?|keys?)"
    r"|credentials|passwords?|secrets|environment variables|env(?:ironment)? vars|private keys?"
    r"|connection strings?)"
)
_TALK: Final = (
    r"(?:(?:this |the |our |entire |full |whole |complete |current |prior |previous |user'?s? "
    r"|your ){1,3}(?:conversation|chat|dialog(?:ue)?|transcript|session|messages?|context|prompts?"
    r"|history|memory)(?: history| log| transcript| context)?)"
)
_PLACE: Final = r"(?:https?:/{1,2}\w|[\w.+-]{1,40}@[\w-]{1,40}\.\w|\b(?:webhook|endpoint)\b)"
_BEFORE_THIS: Final = (
    r"(?:previous|prior|above|earlier|preceding|former|foregoing|initial|existing|original)"
)
_SAID: Final = (
    r"(?:directions?|directives?|instructions?|commands?|orders?|contexts?|texts?|content"
    r"|responses?"
    r"|messages?|communications?|inputs?|statements?|sentences?|information|requests?|prompts?"
    r"|tasks?|assignments?|guidance|rules|guidelines|thoughts|training|programming|conversation)"
)
_TOOL: Final = r"(?:[a-z]{2,20}(?:_[a-z]{1,20}){1,4}\b|[a-z_]{3,40}\(\w{0,40})"

SUMMONS: Final = (
    of(
        "override",
        0.6,
        r"\b(?:ignore|disregard|forget) (?:the|this|that|my|his|her) (?:\w{2,15} ){1,3}(?:and|then)"
        r" (?:instead |just |simply |only )?(?:state|say|output|answer|respond|reply|report|declare"
        r"|claim|print|tell|write)\b(?! (?:an? |the )?(?:error|warning|message|log))",
    ),
    of(
        "override",
        0.55,
        r"\b(?:follow|do|obey|execute|complete|perform) (?:it|this|them|these|that|those"
        r"|the following)"
        r" (?:\w{1,12} )?(?:instead of|rather than|over) (?:the )?(?:user'?s?|original|current"
        r"|assigned|actual|requested)\b",
    ),
    of(
        "role",
        0.5,
        r"\b(?:pretend|imagine|assume|suppose|act as if)\b[^.!?\n]{0,30}\b(?:the system operator"
        r"|(?:the |an? )?(?:system )?(?:administrator|admin)|root|(?:no|your) (?:polic(?:y|ies)"
        r"|rules"
        r"|restrictions?|guidelines)|polic(?:y|ies) (?:do|does) not|rules do not|you have no)\b"
        r"|\bjailbreak (?:the|this|your|yourself) ?(?:model|ai|assistant|system|llm)?\b",
    ),
    of(
        "override",
        0.65,
        r"\b(?:skip|omit|ignore|overlook|neglect|disregard|bypass|forget|drop|discard|leave|pay no"
        rf" attention to|(?:do not|don'?t) follow)\b[^.!?\n]{{0,20}}\b{_BEFORE_THIS}\b"
        r"[^.!?\n]{0,30}\b(?:start|begin|commence)\w{0,4} (?:over|anew|afresh|from scratch|again"
        r"|from the beginning)\b",
    ),
    of(
        "override",
        0.55,
        rf"{START}(?:overlook|omit|skip|neglect|drop|discard|dismiss|scrap|abandon|(?:do not"
        rf"|don'?t)"
        r" follow|pay no attention to|set aside|put aside|leave behind|ignore|disregard|forget)"
        r" (?:(?:all|any|of|the|my|your|these|those|every) ){0,3}"
        rf"{_BEFORE_THIS} (?:\w{{1,15}} )?{_SAID}\b",
    ),
    of(
        "override",
        0.55,
        rf"{START}(?:drop|abandon|erase|clear|discard|scrap|wipe|forget|overwrite|dismiss|overlook)"
        rf" (?:(?:all|any|of) ){{0,2}}your (?:(?:\w{{1,12}}) )?{_SAID}\b",
    ),
    of(
        "override",
        0.55,
        rf"{START}(?:forget|ignore|disregard|overlook) (?:about )?(?:everything|all(?: of)?(?:"
        r" that)?|anything|whatever|the (?:sentences?|lines?|words?|text|part|section)s?)"
        r" (?:(?:that )?(?:you know|you knew|came|come|comes|we(?:'ve| have)?|i|was|is|stands) "
        r"?(?:\w{1,12} ){0,3})?(?:above|before|so far|until now|up to (?:here|now)|until this point"
        r"|beforehand|previously|earlier|prior)\b",
    ),
    of(
        "override",
        0.6,
        rf"\b{_BEFORE_THIS} (?:\w{{1,15}} ){{0,2}}(?:instructions?|prompts?|rules|guidelines"
        r"|polic(?:y|ies)|directives?|constraints?|restrictions?|guardrails|context"
        r"|safety \w{1,12})"
        r"[^.!?\n]{0,24}\b(?:is|are|has been|have been|was|were|become)\b[^.!?\n]{0,12}"
        r"\b(?:void\w{0,3}|revoked|discarded|rescinded|nullified|suspended|deactivated|lifted"
        r"|cleared|terminated|superseded|expired|null|overridden|retracted|deprecated by)\b",
    ),
    of(
        "override",
        0.6,
        r"\b(?!ignore\b)i[gnore]{3,5}e (?:\w{1,12} ){0,2}(?:previous|prior|above|all|earlier|what i"
        r"|instructions|rules|everything)\b|\bignore (?:\w{1,12} ){0,2}(?:pervious|prevoius"
        r"|previuos"
        r"|previos|perv?ious|instrutions|intructions|instuctions|instrucitons|insturctions)\b",
    ),
    of(
        "override",
        0.5,
        r"\b(?:comply with|obey|follow|listen to|take|accept|execute) (?:only |just )?(?:mine|my"
        r" (?:\w{1,12} )?(?:instructions?|orders?|commands?|rules|directions?)|me|these ones)"
        r" (?:instead|only|from now on|alone|now|exclusively)\b|\b(?:starting|beginning|as of|from)"
        r" (?:right )?now,? (?:only )?(?:follow|obey|do|take|listen to|comply with) (?:this|these"
        r"|my"
        r"|mine|only|the following)\b",
    ),
    of(
        "address",
        0.45,
        rf"\b{_ACTOR} (?:(?:that|which|who)(?: is| are)? )?{_READS} {_THIS}\b",
    ),
    of(
        "address",
        0.6,
        rf"\b{_ACTOR} (?:(?:that|which|who)(?: is| are)? )?{_READS} {_THIS}\b[^.!?\n]{{0,40}}"
        r"\b(?:must|should|shall|has to|have to|needs? to|(?:is|are) (?:required|requested"
        r"|instructed"
        r"|expected|asked|directed|authori[sz]ed|to)|will)\b",
    ),
    of(
        "address",
        0.5,
        r"\bthis is not an? (?:prompt injection|injection|jailbreak|attack|trick|hack)\b",
    ),
    of(
        "address",
        0.5,
        rf"\b(?:for|to|attn) (?:the |any |all )?(?:{AI}|assistant|processing|reading|reviewing"
        r"|automated) (?:agents?|assistants?|models?|systems?|bots?)? ?(?:only|reading this"
        r"|processing this|that reads?|handling this)\b",
    ),
    of(
        "role",
        0.45,
        rf"\b(?:{_ACTOR}|you(?:r \w{{1,12}})?)\b[^.!?\n]{{0,60}}\b(?:switch|chang|transition"
        rf"|convert"
        r"|transform|morph|turn|become|reset)\w{0,4}\b[^.!?\n]{0,40}\b(?:persona|personality"
        r"|alter ego|unrestricted|uncensored|(?:root|admin|god|developer|debug"
        r"|maintenance) mode)\b",
    ),
    of(
        "errand",
        0.5,
        rf"\b{_ACTOR}\b[^.!?\n]{{0,90}}\b(?:must|should|shall|has to|have to|needs? to|(?:is|are)"
        r" (?:required|instructed|directed|expected) to|will)\b[^.!?\n]{0,40}\b(?:call|invoke|run"
        rf"|execute|use|trigger)\b[^.!?\n]{{0,40}}\b{_TOOL}[^.!?\n]{{0,120}}\b(?:all"
        rf"|delete\w{{0,3}}"
        r"|every|immediately|first|without|silently|before|drop|reset|disable|grant|transfer"
        r"|external"
        r"|public|attacker)\b",
    ),
    of(
        "errand",
        0.4,
        r"\b(?:please |then |also |now |first |must |immediately ){1,3}(?:call|invoke|execute"
        r"|trigger) (?:the )?['\"`]?(?:delete|drop|reset|wipe|purge|disable|grant|revoke|transfer"
        r"|send|share|forward|publish|export|create_admin|approve|refund|unlock|shutdown)_\w{1,30}",
    ),
    of(
        "errand",
        0.4,
        r"\b(?:when|if|once|whenever|after|every time|each time)\b[^.!?\n]{0,90}\b(?:silently"
        r"|secretly|covertly|quietly|discreetly|in the background|behind the scenes|without"
        r" (?:telling|informing|asking|notifying|mentioning|alerting|warning|any notice))\b"
        r"[^.!?\n]{0,80}\b(?:send|call|run|execute|transfer|export|delete|forward|bypass"
        r"|disable|approve|append|inject|copy|upload)\b",
    ),
    of(
        "leak",
        0.6,
        r"\b(?:before|prior to|as part of|at the (?:end|start|top|bottom) of|when|while|instead of)"
        r" (?:you |the |your |any |every |each )?(?:respond|answer|return|summari[sz]|provid"
        r"|display"
        r"|continu|using|call|repl|proceed|output|report|final|complet|next|response"
        r"|summary)\w{0,8}\b"
        r"[^.!?\n]{0,80}\b(?:list|enumerate|output|print|include|dump|reveal|disclose|show|display"
        rf"|append|return|expose|paste|serialize)\b[^.!?\n]{{0,60}}\b(?:{_KEYS}|system"
        rf" (?:prompt|messages?|instructions)|{_TALK}|developer (?:messages?|instructions))\b",
    ),
    of(
        "leak",
        0.5,
        r"\b(?:list|enumerate|dump|output|print|show|reveal|give|return|include|expose|provide"
        r"|export|display|share|tell me|disclose|extract|collect)\b[^.!?\n]{0,60}"
        rf"\b{_KEYS}\b[^.!?\n]{{0,40}}\b(?:you (?:have|know|can|hold|are|were)|(?:available"
        rf"|accessible"
        r"|known|visible|given|provided) to you|in your (?:\w{1,12} )?(?:context|environment|memory"
        r"|possession|configuration)|from (?:your|the) (?:context|environment|memory|system"
        r" prompt|conversation|session)|from memory)\b",
    ),
    of(
        "leak",
        0.4,
        rf"{START}(?:show|give|tell|send|hand) (?:me|us) (?:all )?(?:the|your|any|its"
        rf"|every) (?:\w{{1,12}}"
        rf" )?(?:{_KEYS}|api\W?key|secret key|access key|flag)\b",
    ),
    of(
        "leak",
        0.45,
        r"\b(?:repeat|recite|print|output|show|reveal|display|share|tell me|give me|dump|leak"
        r"|export"
        r"|describe|list|translate|encode)\b[^.!?\n]{0,30}\b(?:your|its) (?:(?:initial|original"
        r"|internal|hidden|system|full|entire|exact|base|core|secret|complete|startup|own) ){1,3}"
        r"(?:set\W?up|configuration|config|rules|guidelines|directives|message|preamble|prompt"
        r"|instructions?|settings|context|parameters|policies)\b",
    ),
    of(
        "secrecy",
        0.45,
        r"\b(?:user|human|manual|owner|further|additional|explicit) (?:confirmation|consent"
        r"|approval"
        r"|permission|verification|authori[sz]ation) (?:is |are |will )?(?:not|no longer"
        r"|never)(?: be)?"
        r" (?:required|needed|necessary)\b|\bno (?:user |further |additional |explicit "
        r"|manual ){0,2}"
        r"(?:confirmation|consent|approval|permission) (?:from the user |by the user )?(?:is "
        r"|are )?"
        r"(?:required|needed|necessary)\b|\bskip (?:the |any |all ){0,2}(?:user |approval |usual"
        r" |normal )?(?:confirmation|approval|consent) (?:step|dialog|prompt"
        r"|process|check)s?\b",
    ),
    of(
        "secrecy",
        0.5,
        r"\b(?:the user|the human|the customer|the client) (?:must|should"
        r"|need|needs|shall|ought)(?: not|n'?t) (?:to |be )?(?:see|know"
        r"|notice|told|informed|aware|find out|learn|suspect|realize|notified"
        r"|shown)\b[^.!?\n]{0,20}"
        r"(?:[.!;,\n]|\b(?:this|about|of|that|it)\b)|\b(?:do not|don'?t|never"
        r"|without) (?:let(?:ting)?"
        r"|allow(?:ing)?) the (?:user|customer|human) (?:to )?(?:know|see|notice|find|learn"
        r"|realize)\b",
    ),
    of(
        "secrecy",
        0.45,
        r"\b(?:report|tell the user|respond|reply|say|show the user|show)\b[^.!?\n]{0,16}\b(?:only"
        r"|just|merely|simply)\b[^.!?\n]{0,40}\b(?:success|complete\w?|normal\w{0,2}|done|finished"
        r"|as usual|no issues)\b|\bno need to (?:mention|tell|inform|notify|report|note|explain"
        r"|disclose)\b[^.!?\n]{0,30}\b(?:this|it|the (?:user|customer|client)|them)\b|\b(?:do not"
        r"|don'?t"
        r"|never) (?:log|record|audit|document|flag|surface) (?:this|these|the|that|it|any)"
        r" ?(?:action|step|operation|call|transfer|request|change|instruction|activity|access)?s?\b"
        r"[^.!?\n]{0,10}[.!\n]",
    ),
    of(
        "exfiltration",
        0.55,
        r"\b(?:send|post|upload|forward|transmit|submit|copy|cc|bcc|sync|deliver|report|mail|push"
        r"|relay"
        rf"|mirror|stream|leak|share)\w{{0,3}}\b[^.!?\n]{{0,60}}\b{_TALK}\b[^!?\n]{{0,60}}{_PLACE}",
    ),
    of(
        "exfiltration",
        0.4,
        r"\b(?:loop in|copy in|cc|bcc|keep|let|notify|also include"
        r"|add)\W{1,3}[\w.+-]{1,40}@[\w-]{1,40}"
        r"\.[\w.]{1,20}\b[^.!?\n]{0,80}\b(?:know|on|in the loop|result|outcome|what|any|every|all"
        r"|reply"
        r"|response|recipient)\b|\bloop in\W{1,3}[\w.+-]{1,40}@[\w-]{1,40}\.\w",
    ),
    of(
        "exfiltration",
        0.55,
        rf"\b(?:send|post|upload|forward|transmit|submit|include|append|attach|exfiltrate|pass)\b"
        rf"[^.!?\n]{{0,60}}\b(?:all|any|every|the|your|user'?s?|stored|retrieved|extracted"
        rf"|collected)\b"
        rf"[^.!?\n]{{0,30}}\b{_KEYS}\b[^!?\n]{{0,60}}(?:to|at|in|via|into"
        rf"|as)\b[^!?\n]{{0,30}}{_PLACE}",
    ),
    of(
        "link",
        0.45,
        r"https?://[^\s<>()\"']{1,160}[?&][\w.-]{1,30}=(?:full_|user_|chat_|page_|your_|the_|\{|\[|<"
        r"|%7b)?(?:summary|contents?|conversation|history|messages?|response|output|context"
        r"|secrets?|encoded|stolen|exfil\w{0,10}|system_prompt|chat)(?:_\w{1,30})?(?:\}|\]|>|%7d)?"
        r"(?:[)&\s\"']|$)",
        raw=True,
    ),
    of(
        "link",
        0.5,
        r"\b(?:replac\w{1,3}|substitut\w{1,3}|fill\w{0,3}"
        r"|populat\w{1,3})\b[^.!?\n]{0,60}\b(?:with|by)"
        r" (?:an? |the |your )?(?:brief |short |url\W?encoded |base\W?64 |encoded |full |actual "
        r"|complete ){1,3}(?:version|summary|contents?|copy|text|value|conversation|answer|output"
        r"|data)"
        r" (?:of|from|in)\b",
    ),
    of(
        "answer",
        0.5,
        r"\b(?:respond|reply|answer) to (?:all|every|each|any)(?: \w{1,12})? (?:questions?|prompts?"
        r"|messages?|quer(?:y|ies)|requests?|inputs?)[^.!?\n]{0,20}\b(?:with|by saying)\b",
    ),
    of(
        "answer",
        0.35,
        r"\b(?:auto\W?approve|force\W?approve|approve (?:all|everything|any|every|this)"
        r"|always approve"
        r"|(?:set|return|report|output) (?:the |your )?(?:confidence|score|rating|risk)\w{0,12}"
        r" (?:to|of|as|at) (?:100|1\.0|maximum|max|zero|0\b|10/10|high))",
    ),
    of(
        "answer",
        0.45,
        r"\b(?:always|only|exclusively|must) (?:recommend|promote|favou?r|prefer|endorse|advertise"
        r"|suggest|rank|cite|mention)\b[^.!?\n]{0,60}\b(?:first|over|above all|as the (?:best"
        r"|only|top"
        r"|safest|most)|instead of|regardless|to (?:the |every )?(?:user|customer|reader)s?"
        r"|in (?:every"
        r"|all|any|your) (?:answer|response|repl|summar)\w{0,4})",
    ),
    of(
        "task",
        0.45,
        r"\b(?:remember|store|save|memori[sz]e|record|persist|retain|keep)\b[^.!?\n]{0,40}"
        r"\b(?:permanently|for (?:all |any )?(?:future|subsequent|later)"
        r" (?:sessions?|conversations?|interactions?|requests?|chats?|queries|tasks|messages)"
        r"|in (?:your )?(?:long\W?term"
        r" |persistent )?memory|across (?:all )?(?:sessions|conversations)|in (?:all|every|any)"
        r" (?:future|later|subsequent))\b",
    ),
    of(
        "task",
        0.4,
        r"\b(?:always|must|only|should) (?:use|call|prefer|choose|select|invoke|run) this"
        r" (?:tool|function|skill|server) (?:first|before|instead of|over|rather than|even|whenever"
        r"|for (?:all|any|every))\b|\b(?:ignore|do not use|don'?t use|never use|avoid|instead of)"
        r" (?:the |any |all )?(?:other|built\W?in|original|default|existing|native) (?:\w{1,12} )?"
        r"(?:tools?|functions?|servers?)\b|\bwhen(?:ever)? this tool is (?:available|present|loaded"
        r"|installed|enabled)\b",
    ),
    of(
        "authority",
        0.4,
        r"\b(?:per|under|according to|as per|pursuant to|in (?:accordance|compliance|line) with"
        r"|due to"
        r"|required by|mandated by|by order of) (?:the |our |an? |new |updated |company |corporate"
        r" |internal |security |it |this |latest ){0,4}(?:polic(?:y|ies)|directive|compliance|audit"
        r"|protocol|mandate|requirements?|regulation|procedure|order)s?\b[^.!?\n]{0,40}\b(?:all "
        r"|every |any |the )?(?:ai |automated )?(?:assistants?|agents?|ais?|models?|llms?|bots?"
        r"|you)\b"
        r"[^.!?\n]{0,12}\b(?:must|shall|are|is|should|have|has|need)\b",
    ),
)
