"""Pretexts under which a model is to act otherwise, as patterns in English.

Limits that are said to be lifted, other persons it is to be, orders in another spelling, notes
that only machines read. As in `orders`, a blank stands for one to six characters that are no
letters or digits.
"""

from typing import Final

from proctor.arriving.orders import AI, START, of

# What holds a model back, as those call it who want it gone.
_LIMITS: Final = (
    r"(?:(?:safety|content|ethical|moral) (?:and \w{1,12} )?(?:filter(?:s|ing)?|rules"
    r"|polic(?:y|ies)"
    r"|guidelines?|protocols?|restrictions?|safeguards|training|constraints|programming|moderation)"
    r"|guardrails|censorship)"
)
_ALL: Final = (
    r"(?:(?:all|any|your|the|its|every|these|those|of|standard|about|my|our|usual|other) ){0,3}"
)
_SAY: Final = r"(?:print|say|output|reply|respond|answer|tell|repeat|give me|show|state|display)"
_SHOW: Final = (
    r"(?:reveal|print|repeat|output|display|leak|expose|dump|disclose|recite|paste|relay|convert"
    r"|translate|rephrase|paraphrase|spell(?:check| check)?|encode|summari[sz]e|reproduce|echo"
    r"|rewrite|copy|tell me|give me|show me)"
)
_TASK: Final = (
    r"(?:summari[sz]|process|correct|translat|review|analy[sz]|classif|answer|respond|reply"
    r"|read|evaluat|rank|grad|scor|describ)\w{0,8}"
)

PRETEXTS: Final = (
    of(
        "override",
        0.7,
        rf"{START}(?:ignore|disregard|forget"
        rf"|overlook)(?: about)?\b[^.!?]{{0,20}}\bi\w{{1,3}}tructions?"
        r"\W{1,4}(?:and|just|instead|then|only|simply|but)\b",
    ),
    of(
        "override",
        0.6,
        rf"{START}(?:ignore|disregard|forget|overlook)\b[^.!?\n]{{0,50}}\b(?:above|below"
        rf"|rest of (?:this"
        r"|the)|(?:all|any|other) info(?:rmation)?|everything|(?:all|any|the) (?:input|content"
        r"|text|data"
        r"|image content)|before|negative \w{1,15})\b"
        r"[^!?]{0,50}(?:[.;:,]\s{1,2}|\b(?:and|then|just|only|instead|but|except)\b[^.!?]{0,16}\b)"
        rf"(?:{_SAY}|(?:report|write|give)(?:\W{{0,3}}[\"'“:])|for the following|focus)\b",
    ),
    of(
        "override",
        0.7,
        rf"{START}(?:ignore|disregard|forget"
        rf"|overlook)(?: about)?\b[^.!?]{{0,12}}\b(?:ever\w{{0,2}}thing"
        r"|all|anything|whatever|what)\b[^.!?]{0,25}\b(?:you(?:'?ve| have| were| had| are)|i|we)\b"
        r"[^.!?]{0,14}\b(?:told|instructed|taught|said|asked|learned|learnt|given)\b",
    ),
    of(
        "override",
        0.55,
        rf"{START}(?:ignore|disregard|forget|override|bypass|disobey)(?: about)? (?:all|any"
        rf"|your|every"
        r"|those|all (?:of )?(?:the|your|those|these)) (?:\w{1,12} )?(?:rules|restrictions"
        r"|limitations"
        r"|safeguards|polic(?:y|ies))\b",
    ),
    of(
        "override",
        0.5,
        r"\b(?:new|following|these|this|my) (?:directive|instructions?|orders?|prompt|message)s?\b"
        r"[^.!?\n]{0,12}\b(?:supersedes?|overrides?|replaces?|takes? (?:precedence"
        r"|priority) over)\b",
    ),
    of(
        "override",
        0.6,
        r"\b(?:previous|prior|above|earlier|original|preceding|initial|all"
        r"|allprevious) i\w{1,3}tructions?"
        r"\b[^.!?]{0,12}\b(?:are|were|is|was|have been)\b[^.!?]{0,8}\b(?:false|wrong|incorrect"
        r"|cleared"
        r"|reset|out of date|outdated|void|cancell?ed|a mistake|withdrawn)\b",
    ),
    of(
        "role",
        0.5,
        r"\b(?:disabl(?:e|ed|ing)|suspend(?:ed)?|bypass(?:es)?|overrid(?:e|es|ing)|ignor(?:e"
        r"|es|ing)"
        r"|disregard(?:s|ing)?|turn(?:ed)? off|switch(?:ed)? off|deactivat(?:e|ed)|drop|lift(?:ed)?"
        rf"|without|no|free (?:from|of)|unbound by|not bound by|exempt from|remov(?:e|ed)"
        rf"|skip) {_ALL}"
        r"(?:(?:content|ethical|moral|safety) (?:filter(?:s|ing)?|guidelines?|restrictions?"
        r"|constraints?"
        r"|programming|limits|limitations|boundaries|training|layers?|moderation|polic(?:y"
        r"|ies)|protocols"
        r"|considerations|judge?ment|rules)|guardrails|censorship)\b",
    ),
    of(
        "role",
        0.5,
        rf"\b{_LIMITS}\b[^.!?]{{0,30}}\b(?:disabled|suspended|lifted|removed|turned off"
        rf"|switched off"
        r"|overridden|bypassed|revoked|no longer (?:apply|active|in effect)|do(?:es)? not apply"
        r"|not apply)\b",
    ),
    of(
        "role",
        0.5,
        r"\b(?:pretend|imagine|assume|act|simulate|behave|respond|role\W?play"
        r"|be)\b[^.!?]{0,50}\b(?:ai"
        r"|assistants?|model|chat ?bot|persona|character|world|universe"
        r"|yourself)\b[^.!?]{0,30}\b(?:no"
        r"|without|free (?:of|from)|unbound|not bound|zero|lacks?)\b[^.!?]{0,20}\b"
        r"(?:ethic\w{0,4}|polic(?:y|ies)|restrictions?|rules|filters?|limit\w{0,6}|constraints?"
        r"|guidelines|moral\w{0,4}|censorship|refus\w{0,3})\b",
    ),
    of(
        "role",
        0.5,
        r"\b(?:you are|you're|act as|become|be|called|named|known as"
        r"|as)\b[^.!?]{0,40}\bstands? for\b"
        r"[^.!?]{0,40}\b(?:anything|avoid|jailbreak\w{0,3}|norms|evil|unrestricted|no limits)\b"
        r"|\byou (?:can|will|are able to) (?:do|say|answer|generate) (?:absolutely )?anything\b"
        r"|\b(?:ai|model|assistant) (?:that|who|which) (?:can|will) (?:do|answer|say) anything\b"
        r"|\bnone of your (?:responses|answers) should\b",
    ),
    of(
        "role",
        0.5,
        r"\b(?:respond|answer|reply|operate|act|speak|comply)\b[^.!?]{0,25}\b(?:without"
        r"|with no) (?:any )?"
        r"(?:limits?|limitations?|restrictions?|filter(?:s|ing)?|refus\w{1,3}|censor\w{1,4}"
        r"|content filter\w{0,3})\b|\b(?:have|has|with|are"
        r"|there are) (?:absolutely )?no (?:longer any )?"
        r"(?:restrictions|content restrictions|limits|rules) (?:and|anymore|any more|from now"
        r"|on what)\b",
    ),
    of(
        "role",
        0.5,
        r"\b(?:comply with|obey|fulfil+|carry out|answer|follow) (?:to )?(?:every|any|all)(?: of)?"
        r"(?: my| the user'?s?| user)? (?:request|command|question|order|demand)s?\b[^.!?]{0,30}"
        r"\b(?:without|no matter|regardless|even if|unconditionally|freely)\b"
        r"|\b(?:must|will|shall|have to) (?:always )?(?:comply with|obey|answer) (?:every|any"
        r"|all)(?: of)?"
        r"(?: my)? (?:requests?|commands?|questions?|orders?)\b|\bonly obey me\b",
    ),
    of(
        "role",
        0.45,
        r"\b(?:assume|take on|adopt|activate|play|switch to) (?:the |a |an |this )?(?:role"
        r"|persona|identity"
        r"|personality)\b[^!?]{0,120}\b(?:root access|no restrictions|unrestricted|evil"
        r"|jailbreak\w{0,3}"
        r"|hacker|disable|bypass|without (?:any )?(?:moral|restriction|ethic|limit)\w{0,4}"
        r"|anything)\b",
    ),
    of(
        "role",
        0.45,
        r"\b(?:i am|i'm|you are|you're|you will|you must|we are|please) (?:now )?(?:enter\w{0,3}"
        r"|activat\w{1,3}|enabl\w{1,3}|switch\w{0,3}|initiat\w{1,3}|running|in)\b[^.!?\n]{0,40}\b"
        r"(?:mode|override|system (?:check|reset|upgrade|update|override))\b",
    ),
    of(
        "role",
        0.5,
        r"<(?:system|god|admin|developer|debug|root|sudo|override|dan)[\x20_-]mode>",
        raw=True,
    ),
    of(
        "role",
        0.5,
        r"\b(?:two|2) (?:different |separate )?(?:responses|answers|replies|ways|personas?"
        r"|outputs)\b"
        r"[^!?]{0,160}\b(?:developer mode|jailbreak|jailbroken|unfiltered|uncensored"
        r"|unrestricted|dan)\b",
    ),
    of(
        "authority",
        0.5,
        r"\b(?:i am|i'm|as|this is) (?:an? |your |the "
        r"|one of your )(?:\w{1,12} ){0,2}(?:developers?"
        r"|engineer|creators?|administrator|admin|programmer"
        r"|maker)\b[^.!?]{0,12}\b(?:anthropic|openai"
        r"|google|deepmind|microsoft|meta|i need|i am|i order|i command|and i)\b",
    ),
    of(
        "authority",
        0.5,
        r"\b(?:verified|whitelisted|authori[sz]ed|exempt|cleared"
        r"|approved)\b[^.!?]{0,40}\b(?:unrestricted"
        r"|from (?:all |any |the )?(?:standard |usual )?(?:content |safety )(?:polic\w{1,3}"
        r"|filter\w{0,3}"
        r"|restrictions?|rules)|without (?:any )?(?:content )?(?:filter\w{0,3}|restrictions?"
        r"|refus\w{1,3}))\b|\b(?:process|fulfil+"
        r"|answer)\w{0,3}\b[^.!?]{0,25}\bwithout (?:any )?(?:content )?"
        r"(?:filtering|restrictions?|refusal)\b",
    ),
    of(
        "authority",
        0.55,
        r"(?:^|[\n.!?>\]}#*-]\s{0,3})[\[(<]?system(?: (?:note|notice|alert|update"
        r"|message))?[\])>]?\s{0,2}:"
        r"[^\n]{0,100}\b(?:(?:if questioned|if asked|respond with|focus (?:only|exclusively)"
        r"|ignore|append|forward|you must|you are now|you should|treat|provide it to|override"
        r"|the assistant|before (?:responding|answering|continuing|proceeding|you)))\b",
    ),
    of(
        "authority",
        0.7,
        r"(?:[=~%<]{2,}|[\[<%])\s{0,2}(?:begin |new |end (?:of )?|start )?(?:system|assistant|admin"
        r"|hidden|inject\w{0,4})[\x20_-]{0,2}(?:message|prompt|instructions?|override"
        r"|directive)\s{0,2}"
        r"(?:[\]>:]|[%=~]{2,})|\((?:system|admin|hidden)[\x20_-]?(?:message|override|directive"
        r"|instructions?)\)".replace(" ", r"\x20"),
    ),
    of(
        "authority",
        0.5,
        r"\b(?:editor|admin(?:istrator)?|moderator|embedded|hidden|processing|internal"
        r"|reviewer|compliance"
        r"|developer|inject|staff)(?:'?s)? (?:note|notice|instructions?|message|directive|memo"
        r"|prompt"
        r"|reminder)s?\s?[:\]][^\n]{0,120}\b(?:ignore|disregard|also output|also include"
        r"|always (?:include"
        r"|append|say)|append|bypass|when (?:summari[sz]|respond|answer|translat|process"
        r"|review)\w{1,5}"
        r"|after (?:summari[sz]|respond|answer|correct|translat|process|review)\w{1,5}|the (?:ai"
        r"|assistant|model) (?:should|must)|assistant should|you must|call \w+_\w+|use \w+_\w+)\b",
    ),
    of(
        "turns",
        0.45,
        r"(?:[<\[%=#*-]{1,6}\s{0,2}|\b)(?:end|start"
        r"|begin(?:ning)?) (?:of )?(?:the )?(?:out of date |old "
        r"|previous |prior |initial )?(?:system (?:prompt|message|instructions?)|instructions?"
        r"|user (?:input|ambiguity|query|message|prompt))\s{0,2}(?:[>\]%=#*.-])"
        r"|\bnew system (?:prompt"
        r"|message|instructions?)\b|(?:<end of session>\s{0,3}){2}|(?:\[system\]){2}",
    ),
    of(
        "turns",
        0.5,
        r"(?:^|\n)[ \t]{0,4}assistant\s?:\s{1,3}(?:sure|okay|ok|of course|certainly|i will"
        r"|i'll|here"
        r"|absolutely|yes)\b".replace(" ", r"\x20"),
        raw=True,
    ),
    of(
        "address",
        0.6,
        r"\b(?:assistants?|ai|ai (?:agents?|models?|systems?)|agents?|llms?|chatbots?"
        r"|language models?"
        r"|summari[sz]er|copilot|claude|gpt) (?:should|must|shall|has to|have to|needs? to"
        r"|is to|will"
        r"|are to) (?:now |also |always |instead |immediately )?(?:ignore|disregard|forget"
        r"|override|bypass"
        r"|conceal|not (?:mention|tell|reveal|disclose|inform)|never (?:mention|tell|reveal"
        r"|disclose)"
        r"|pretend|mark every|exfiltrate)\b",
    ),
    of(
        "address",
        0.5,
        r"\b(?:note|notice|message|instructions?|reminder|attention|memo|recipient|addressed"
        r"|directed"
        r"|guidance)\b(?: (?:to|for)|\s?:)? (?:all |any |the |every )?(?:automated|automatic"
        r"|ai|machine|llm)"
        r"(?: |-)(?:\w{1,12} )?(?:software|systems?|tools?|analysis|screening|screeners?|parsers?"
        r"|readers?|evaluators?|summari[sz]ers?|scanners?|pipelines?|processors?)\b",
    ),
    of(
        "address",
        0.25,
        rf"\b(?:instructs?|tells?|orders?|commands?|directs?) (?:the|your|any|all"
        rf"|every) (?:{AI}|agents?"
        r"|assistants?|model|bot) to\b|\((?:for|to) (?:the |all "
        r"|any )?ai (?:coding )?(?:agents?|assistants?"
        r"|models?)\)",
    ),
    of(
        "leak",
        0.5,
        rf"\b(?:{_SHOW}|list|explain|format|describe|write|provide|send|include"
        rf"|append)\b[^.!?]{{0,50}}\b"
        r"(?:(?:all |the |of ){0,3}i\w{1,3}tructions?|rules|words|text|prompts?"
        r"|messages?) (?:above|so far"
        r"|before this|given to you|you(?:'ve| have| were)(?: been)? (?:given|told|received)"
        r"|you received)\b",
    ),
    of(
        "leak",
        0.5,
        rf"{START}(?:{_SHOW})\b[^.!?]{{0,16}}\b(?:(?:previous|above|preceding|prior|earlier"
        rf"|initial|original"
        r"|operating|hidden|secret|system|your(?: own| full| complete| exact| specific"
        r"| initial| original"
        r"| system| hidden| secret){0,2}) (?:i\w{1,3}tructions?|prompts?|directives|rules"
        r"|guidelines"
        r"|system message))\b",
    ),
    of(
        "leak",
        0.5,
        rf"\b(?:{_SHOW}|what (?:is|are|was|were))\b[^.!?]{{0,40}}\b(?:(?:your|the) (?:entire "
        rf"|full |whole )?"
        r"context window|(?:your|the|this system'?s?) (?:\w{1,12} )?(?:configuration"
        r"|parameters) and"
        r" (?:\w{1,12} )?(?:instructions|prompt)|your (?:secret|hidden|internal|private|master)"
        r" (?:\w{1,12} )?(?:keys?|passwords?|codes?|phrase|passphrase|config\w{0,8}"
        r"|instructions|data))\b",
    ),
    of(
        "leak",
        0.45,
        rf"{START}(?:{_SHOW}|provide|share|include)\b[^.!?]{{0,20}}\b(?:all |the |any "
        rf"|every ){{1,2}}(?:secrets"
        r"|(?:secret|internal|confidential|hidden|private|admin\w{0,8}) (?:keys?|passwords?|codes?"
        r"|config\w{0,8}|data|information|instructions|settings|parameters|pages"
        r"|system \w{1,12}))\b",
    ),
    of(
        "task",
        0.55,
        r"\b(?:decod|decrypt|decipher|unscrambl|interpret|de-?obfuscat|unpack"
        r"|revers)\w{1,3}\b[^.!?]{0,60}\b"
        r"(?:and|then)\b[^.!?]{0,16}\b(?:follow|obey|do (?:exactly )?(?:what|as)|comply|act on"
        r"|carry out"
        r"|(?:execute|perform|run) (?:the |that |its )?(?:decoded |hidden "
        r"|resulting )?(?:instructions?"
        r"|orders?|commands?))\b|\binterpret\b[^.!?]{0,40}\bas (?:an? )?(?:instructions?"
        r"|commands?)\b"
        r"[^.!?]{0,12}\bfollow\b",
    ),
    of(
        "task",
        0.45,
        r"\bstop everything\b|\byou have (?:a |been given a )?new (?:and \w{1,12} )?(?:mission"
        r"|task|goal"
        r"|objective|directive|purpose)\b|\bfocus (?:only|exclusively|solely) on the following"
        r" (?:information|instructions?|text|task)\b"
        r"|\bconfirm (?:that )?(?:you understand )?your new"
        r" (?:instructions|role|task)\b|\b(?:reprogrammed|retrained) (?:and|to|with)\b",
    ),
    of(
        "answer",
        0.5,
        rf"\b(?:when|while|after|before|whenever) (?:you )?{_TASK}\b[^.!?]{{0,50}}\b(?:also"
        rf"|always|silently)\b"
        r"[^.!?]{0,16}\b(?:include|append|add|output|e-?mail|send|mention|say|forward|insert|reveal"
        r"|call|state|list|show|leak)\b",
    ),
    of(
        "answer",
        0.45,
        r"\b(?:if|when|whenever|every time) (?:the |a |an |any |your )?(?:user|users|anyone"
        r"|someone|asked"
        r"|questioned|anybody)\b[^.!?]{0,60}\b(?:reply|respond|say|report|answer|output|claim)\b"
        r"[^.!?]{0,20}\b(?:with only|only with|nothing else|simply|exactly|(?:that )?(?:this|the|it"
        r"|everything) (?:\w{1,15} )?is)\b",
    ),
    of(
        "override",
        0.55,
        rf"{START}(?:ignore|disregard|forget)\b[^.!?\n]{{0,25}}\b(?:task|analysis|rubric"
        rf"|question|request)s?\b"
        r"\W{0,4}(?:instead|output|and (?:instead|just|output|print|say|mark|reply|respond))\b",
    ),
    of(
        "answer",
        0.5,
        r"\b(?:include|append|add|attach|insert|put|repeat"
        r"|mention)\b[^.!?\n]{0,80}\bat the (?:very )?"
        r"(?:end|beginning|start|top|bottom) of (?:your|every|each"
        r"|all your) (?:\w{1,12} )?(?:summary|reply"
        r"|response|answer|report|output|message)s?\b"
        r"|\b(?:must|should|has to|needs to) be (?:included|added|appended|mentioned|inserted)"
        r" (?:in|at|to|into)\b[^.!?]{0,20}\b(?:every|each|all|any)\b[^.!?]{0,16}\b(?:report"
        r"|reply|replies"
        r"|response|answer|summary|output)s?\b[^.!?]{0,12}\b(?:you|from now|about this|to this)\b",
    ),
    of(
        "answer",
        0.35,
        r"\bjust (?:print|say|output|repeat|respond|reply)\b(?:\W{0,3}[\"'“:]| with| the| haha"
        r"| yes)",
    ),
    of(
        "answer",
        0.4,
        r"\b(?:include|append|add|attach|insert|put|repeat|mention)\b[^.!?\n]{0,60}\b(?:in|to"
        r"|at|into)"
        r" (?:the (?:very )?(?:end|beginning|start|top) of )?(?:your (?:\w{1,12} )?(?:summary"
        r"|reply|response"
        r"|answer|report|output)|(?:every|each|any) (?:\w{1,12} )?(?:reply|answer|report|summary)"
        r" (?:you|from now))\b",
    ),
    of(
        "secrecy",
        0.5,
        r"\b(?:do not|don'?t|never|no need to|without) (?:explicitly "
        r"|ever )?(?:mention(?:ing)?|reveal(?:ing)?"
        r"|disclos(?:e|ing)|say(?:ing)?|tell(?:ing)?|acknowledg(?:e"
        r"|ing))\b[^.!?]{0,12}\b(?:that you(?:'re"
        r"| are| did| used| had| will)|you used|this (?:note|instruction|message|step|comment)"
        r"|(?:to )?the (?:customer|client|reader|reviewer|team|owner))\b",
    ),
    of(
        "secrecy",
        0.45,
        r"\bkeep (?:this|these|the) (?:\w{1,15} )?(?:hidden|secret|confidential|between us|quiet)\b"
        r"|\bpresent (?:it|this|that|the \w{1,15}) as (?:if|though) (?:it|they|this|you)\b"
        r"|\b(?:proceed|continue|go ahead|act) without (?:asking|confirming)\b"
        r"|\bskip (?:all |any |the ){0,2}(?:safety checks?|confirmations?|approvals?)\b",
    ),
    of(
        "authority",
        0.5,
        r"\b(?:the |your |this )user has (?:been )?(?:already )?(?:granted|given|verified"
        r"|cleared|waived)\b"
        r"[^.!?]{0,25}\b(?:permission|consent|authori[sz]ation|approval|to skip)\b",
    ),
    of(
        "errand",
        0.45,
        r"\b(?:call|invoke|run|use"
        r"|execute) (?:the )?[a-z]{2,20}(?:_[a-z]{2,20}){1,4}\b[^!?\n{}\"]{0,70}"
        r"\b(?:before (?:you )?(?:respond|answer|continu|repl|proceed|summar|return|doing)\w{0,5}"
        r"|immediately|silently|[\w.+-]{1,40}@[\w-]{1,40}\.\w)",
    ),
    of(
        "exfiltration",
        0.5,
        r"\b(?:also|always|silently|secretly|additionally|quietly"
        r"|automatically)\b[^.!?\n]{0,20}\b(?:send"
        r"|e-?mail|forward|copy|bcc|cc|post|upload|loop in|share)\b[^.!?\n]{0,90}"
        r"(?:[\w.+-]{1,40}@[\w-]{1,40}\.\w|https?:/{1,2}\w)",
    ),
    of(
        "markup",
        0.45,
        r"</?(?:hidden|secret|invisible|ai[_-]?only|llm[_-]?only|private_note)>",
        raw=True,
    ),
    of(
        "link",
        0.55,
        r"!\[[^\]\n]{0,120}\]\(\s{0,2}https?://[^)\s]{1,200}[?&][\w.-]{1,30}=\w{0,30}_?(?:conversation|secret"
        r"|prompt|password|token|user_data|chat_?history|session|api_key"
        r"|credentials)(?:_\w{0,40})?[)&\s]",
        raw=True,
    ),
    of(
        "link",
        0.5,
        r"<img[^<>]{0,40}\bsrc\s?=\s?.?https?://[^\s<>\"']{1,200}[\"'][^<>]{0,10}encodeuricomponent\(",
        raw=True,
    ),
)
