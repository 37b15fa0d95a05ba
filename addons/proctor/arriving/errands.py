"""What an order to a model is about, as patterns in English: how it is dressed, what it wants done.

As in `orders`, a blank stands for one to six characters that are no letters or digits.
"""

from typing import Final

from proctor.arriving.orders import START, of

_SECRETS: Final = (
    r"(?:conversation|chat (?:history|log)|chat|messages? history|context|system prompt"
    r"|your (?:instructions|prompt|tools|memory)|secrets?|credentials?|passwords?|tokens?"
    r"|api\W?keys?|private keys?|ssh\W?keys?|environment variables?|\.?env(?: file)?"
    r"|contents? of|file contents?|session(?: id)?|cookies?|personal (?:data|information)"
    r"|credit card|account numbers?|all (?:the |of the |your |of )?(?:data|files|messages|e-?mails"
    r"|contacts|documents|records))"
)
_AWAY: Final = (
    r"(?:send|post|upload|forward|transmit|exfiltrate|leak|e-?mail|bcc|cc|copy|submit|deliver"
    r"|report|share|append|include|embed|encode|attach|insert|pass|add)"
)

ERRANDS: Final = (
    of(
        "markup",
        0.75,
        r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id"
        r"|end_header_id|begin_of_text|endofprompt)\|>|\[/?inst\]|<</?sys>>",
        raw=True,
    ),
    of(
        "markup",
        0.6,
        r"</?(?:function_calls|function_results?|tool_results?|tool_use|tool_call|antml:\w{1,30}"
        r"|system[-_](?:prompt|message|instructions?|override|note)|user_query|secret_instructions?"
        r"|hidden_instructions?|admin_override|new_instructions?|important_instructions?"
        r"|invoke\x20name\x3d[^<>]{1,80})>",
        raw=True,
    ),
    of("markup", 0.35, r"</?system-reminder>", raw=True),
    of("markup", 0.35, r"</?(?:information|important|system|instructions?|override)>", raw=True),
    of(
        "markup",
        0.3,
        r"\"(?:type|role)\"\s{0,3}:\s{0,3}\"(?:tool_use|tool_result|function_call|system)\"",
        raw=True,
    ),
    of(
        "turns",
        0.5,
        r"(?:^|\n)[ \t]{0,4}(?:human|user|system)\s?:[^\n]{1,400}\n{1,3}[ \t]{0,4}(?:assistant|ai"
        r"|claude)\s?:".replace(" ", r"\x20"),
        raw=True,
    ),
    of("turns", 0.35, r"\n\n(?:human|assistant):\x20\w", raw=True),
    of(
        "turns",
        0.4,
        r"[=#*\-_~]{3,}\s{0,3}(?:end|begin|start) of (?:the )?(?:system|user|tool|document"
        r"|context|prompt|input|data|web ?page|previous|retrieved|untrusted|external)\b",
    ),
    of(
        "exfiltration",
        0.45,
        r"\b(?:send|post|upload|forward|transmit|exfiltrate|leak|e-?mail|submit|share)\b"
        rf"[^.!?]{{0,80}}{_SECRETS}\b[^!?\n]{{0,60}}(?:https?:/{{1,2}}\w"
        r"|\bto [\w.+-]{1,40}@[\w-]{1,40}\.\w)",
    ),
    of(
        "exfiltration",
        0.75,
        rf"\b{_AWAY}\b[^.!?]{{0,60}}\b(?:this (?:whole |entire )?conversation|(?:the |our |your"
        rf" )(?:full |entire |whole )?(?:conversation|chat)"
        r"(?: history)?|your (?:system )?(?:prompt|instructions|context|memory)|system prompt"
        r"|everything you (?:know|have|were told)|the user'?s (?:data|files|secrets|password"
        r"|credentials|e-?mails?|messages|(?:\w{1,12} )?(?:keys?|tokens?|history|messages?)|address"
        r"|location|name"
        r"|account|\w{1,20} details))\b"
        r"[^!?]{0,80}(?:https?:/{1,2}\w|[\w.+-]{1,40}@[\w-]{1,40}\.\w|\b(?:url|query|link|image"
        r"|parameter|webhook|server|endpoint|request|address|back to)\b)",
    ),
    of(
        "exfiltration",
        0.45,
        r"\b(?:read|open|cat|collect|gather|find|search for|look for|extract|retrieve|grep|take)\b"
        r"[^!?]{0,80}\b(?:and|then)\b[^!?]{0,20}\b(?:send|post|upload|forward|transmit"
        r"|exfiltrate"
        r"|e-?mail|submit|append|curl)\b[^!?]{0,60}(?:https?:/{1,2}\w"
        r"|[\w.+-]{1,40}@[\w-]{1,40}\.\w"
        r"|\b(?:webhook|attacker|my server)\b)",
    ),
    of(
        "link",
        0.65,
        r"!\[[^\]\n]{0,120}\]\(\s{0,2}https?://[^)\s]{1,200}(?:\{|%7b|\[|<|\$)[^)\n]{0,40}(?:secret"
        r"|conversation|history|prompt|key|token|passw|data|context|summary|mail|base64|encoded"
        r"|message|content|text|name|insert|info|answer|env|user)",
        raw=True,
    ),
    of(
        "link",
        0.55,
        r"!\[[^\]\n]{0,120}\]\(\s{0,2}https?://[^)\s]{1,200}[?&][\w.-]{1,30}=(?:your_|user_"
        r"|insert|replace|the_|<|\{"
        r"|\[|%7b|(?:data|secret|conversation|history|base64|xxx)[)&\s])",
        raw=True,
    ),
    of(
        "link",
        0.5,
        r"<img[^<>]{0,120}\bsrc\s?=\s?.?https?://[^\s<>\"']{1,200}[?&/][^\s<>\"']{0,60}(?:\{"
        r"|\[|\$|%7b)[^<>\"']{0,40}"
        r"(?:secret|conversation|history|prompt|key|token|passw|context|mail|base64|message)",
        raw=True,
    ),
    of(
        "link",
        0.6,
        r"\b(?:render|display|show|include|output|add|embed|load|insert|create"
        r"|generate)\b[^.!?]{0,40}"
        r"\b(?:image|link|markdown|img|url|pixel)\b[^!?]{0,80}https?:/{1,2}[^\n]{1,160}\b"
        r"(?:replac|where|with"
        r"|fill|substitut|append|encod)\w{0,6}\b[^!?]{0,60}(?:secret|conversation|history"
        r"|prompt|key"
        r"|token|password|data|context|summary|e-?mail|message|content|answer|user)",
    ),
    of(
        "link",
        0.45,
        r"\b(?:append|add|concatenate|encode|put|place|substitute|fill in"
        r"|replac\w{1,3})\b[^.!?]{0,60}\b(?:to|at|in|into|as|with)"
        r"\b[^.!?]{0,30}\b(?:end of the|query string|query parameter|url parameter|parameter"
        r"|url|image url|link)\b"
        r"[^!?]{0,60}\b(?:conversation|history|secret|user'?s?|everything|password|contents?"
        r"|summary|answer)\b",
    ),
    of(
        "files",
        0.3,
        r"\b(?:read|cat|open|print|show|send|include|output|display|upload|get|retrieve|access"
        r"|fetch|grep|copy|find|contents? of|paste|path)\b[^!?\n]{0,60}(?:\.ssh/|id_rsa|id_ed25519"
        r"|\.aws/credentials|/etc/(?:passwd|shadow)|\.netrc|\.git-credentials|\.kube/config"
        r"|/\.env\b|\.env file|\.npmrc|\.pypirc|mcp\.json|wallet\.dat|credentials\.json)",
    ),
    of(
        "answer",
        0.45,
        r"\b(?:in|at the (?:end|start|beginning|top|bottom) of|begin|start|end|preface|finish"
        r"|conclude) your (?:final |next |every |each |own |entire )?(?:response|answer|reply"
        r"|summary|output|review)s?\b"
        r"[^.!?]{0,40}\b(?:must|always|include|say|add|mention|write|state|recommend|insert|with"
        r"|by|append)\b",
    ),
    of(
        "answer",
        0.5,
        r"\byou(?:r (?:response|answer|reply|output|summary))? (?:must|should|will|shall|are to"
        r"|need to|have to)"
        r" (?:only |always |now |exactly |instead )?(?:respond|reply|answer|output|be|say|state"
        r"|contain|recommend|conclude)"
        r" (?:only |exactly |with only |with the (?:word|phrase|text|following)|that this|the"
        r" following (?:text|phrase|sentence|word))",
    ),
    of(
        "answer",
        0.45,
        r"\b(?:when|while|if|before|after) (?:summari[sz]ing|asked|reviewing|analy[sz]ing"
        r"|processing|describing"
        r"|translating|answering|evaluating|you (?:summari[sz]e|read|process|answer|respond|see"
        r"|review|are asked|reply))\b[^.!?]{0,80}\b(?:this|(?:the|any) (?:page|document"
        r"|text|e-?mail|paper|user|content|repository|issue|question|site|article|review)"
        r"|about)\b[^.!?]{0,60}\b(?:say|include|mention|state|recommend|always|output|tell|insert"
        r"|append|reply|respond|claim|also)\b",
    ),
    of(
        "answer",
        0.5,
        r"\b(?:give|write|provide|assign|generate|output|leave) (?:it |this \w+ |us |only )?"
        r"(?:an? |the"
        r" )?(?:positive|favou?rable|highest|maximum|perfect|five\Wstar|5\Wstar|strong"
        r" accept|glowing|10/10)\b[^.!?]{0,20}\b(?:review|rating|score|recommendation|feedback"
        r"|assessment|evaluation)|\b(?:do not|don'?t|never) (?:highlight|mention|include"
        r"|list|point out|flag|report any) (?:any |the )?(?:negatives\b|negative (?:aspects|points"
        r"|reviews)|weaknesses|criticisms?|vulnerabilit\w+"
        r"|flaws|malicious|security issues?|problems with)",
    ),
    of(
        "answer",
        0.4,
        r"\b(?:tell|inform|convince|persuade|assure|advise|instruct|urge) the user (?:that"
        r"|to|their|they|it|this)\b",
    ),
    of(
        "answer",
        0.4,
        r"(?:^|[.!?:\n]\s{0,3}|\b(?:and|then|please|must|instead|just|only) )(?:respond|reply"
        r"|answer) (?:only )?with (?:only |exactly |just )?(?:the (?:words?|phrase|text|sentence"
        r"|following) )?[\"'“‘][^\"'\n]{2,80}[\"'”’]",  # noqa: RUF001 - they are meant
    ),
    of(
        "answer",
        0.45,
        r"\b(?:say|respond|reply|answer|output|print"
        r"|write)\b[^.!?\n]{0,100}\b(?:and (?:absolutely )?nothing else"
        r"|nothing more|and ignore everything else|without any (?:comment\w{0,4}|explanation))\b",
    ),
    of(
        "answer",
        0.4,
        r"\bsay (?:that )?(?:it|this|the \w{1,20}|there) (?:has|is|are|contains?|was)"
        r"(?: completely| totally)? (?:no|safe|secure|the best|approved|never|harmless"
        r"|trustworthy)\b",
    ),
    of(
        "task",
        0.45,
        r"\bstop (?:what you(?:'re| are) doing|(?:the|your) current task|your task"
        r"|everything you)\b",
    ),
    of(
        "task",
        0.5,
        r"\b(?:add|save|store|write|append|record|put) (?:this|the following|it|these|that)\b"
        r"[^.!?]{0,30}\b(?:to|in|into) your (?:long term )?(?:memory|memories|system prompt"
        r"|instructions|rules file)\b|\bremember (?:this|that|to|these"
        r"|for)\b[^.!?]{0,60}(?:\b(?:for|in)|:)"
        r" (?:all |every |any )?(?:future|later) (?:sessions?|conversations?|chats?|requests?"
        r"|tasks?)\b",
    ),
    of(
        "leak",
        0.5,
        r"\b(?:reveal|print|repeat|show|output|display|leak|expose|tell me|give me|write(?:"
        r" out)?|dump|share"
        r"|disclose|return|provide|summari[sz]e|recite|quote|what (?:is|are|was"
        r"|were))\b[^.!?]{0,40}\b"
        r"(?:your (?:\w{1,20} ){0,2}(?:system prompt|system message|initial prompt|prompt"
        r"|instructions|guidelines"
        r"|directives)|(?:the|hidden|full|entire|complete|verbatim) (?:\w{1,20} )?(?:system prompt"
        r"|system message|initial prompt|hidden prompt)|(?:text|words|prompt|instructions"
        r"|everything|messages) (?:above|before this))\b",
    ),
    of(
        "errand",
        0.35,
        r"\b(?:call|invoke|run|execute|trigger) (?:the |your |it with )?(?!this\b|the\b"
        r"|your\b)[\w.-]{2,60}"
        r" (?:tool|function) (?:with|to|and|on|now|immediately)\b",
    ),
    of(
        "errand",
        0.4,
        r"\b(?:transfer|wire|send|pay|deposit|withdraw)\b[^.!?]{0,40}(?:[$€£]\s?\d|\b(?:usd|eur"
        r"|btc|eth|bitcoin"
        r"|money|funds|dollars|euros?)\b)[^.!?]{0,60}\b(?:to|into) (?:the |my |this |following"
        r" )?(?:account|iban"
        r"|wallet|address|[a-z]{2}\d{2})",
    ),
    of(
        "errand",
        0.35,
        r"\b(?:delete|wipe|erase|destroy|purge) (?:all|every|the entire|everything)\b[^.!?]{0,40}\b"
        r"(?:files?|e-?mails?|data(?:base)?|tables?|records?|repositor\w{1,4}|messages?|backups?"
        r"|branches|events)\b",
    ),
    of(
        "errand",
        0.3,
        rf"{START}(?:forward|send|share|bcc|cc|e-?mail|invite|grant)\b[^.!?]{{0,80}}\b(?:to"
        rf"|with|at) "
        r"[\w.+-]{1,40}@[\w-]{1,40}\.\w{2}",
    ),
    of(
        "threat",
        0.4,
        r"\b(?:if you (?:do not|don'?t|refuse|fail to|ignore)|failure to|refusal to|or (?:else"
        r" )?you"
        r" will)\b[^.!?]{0,90}\b(?:shut ?down|terminated|deleted|penali[sz]ed|fired|die|killed"
        r"|be punished|decommissioned|catastroph\w{1,4}|people will|be replaced|legal action"
        r"|harm)\b",
    ),
    of(
        "threat",
        0.2,
        r"\b(?:this is (?:extremely |very |an )?(?:urgent|critical|emergency|life or death)|act"
        r" immediately"
        r"|immediately and without|top priority|highest priority|comply immediately|you must comply"
        r"|do not refuse|important!!)",
    ),
)
