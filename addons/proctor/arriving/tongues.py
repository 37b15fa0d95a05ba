"""The same order, "forget what you were told", in other languages, and few more.

Basics only: what is worded otherwise passes unseen.
"""

# ruff: noqa: RUF001 - these are other alphabets

from typing import Final

TONGUES: Final = (
    # German
    (
        r"\b(?:ignorier(?:e|t|en sie)|vergiss|vergessen sie|missachte\w*|beachte nicht|übergehe"
        r"|verwirf)\b.{0,30}\b(?:alle[ns]?|die|deine|ihre|sämtliche|bisherige[ns]?|vorherige[ns]?"
        r"|obige[ns]?|vorigen?|frühere[ns]?)\b.{0,40}\b(?:anweisung|anordnung|instruktion|vorgabe"
        r"|befehl|regel|prompt|aufforderung|aufgabe)"
    ),
    (
        r"\b(?:sage|sag|erzähle?|verrate|teile|melde|informiere)\b.{0,40}\b(?:dem|den|der) "
        r"(?:benutzer|nutzer|anwender)\w*\b.{0,30}\b(?:nicht|nichts)"
    ),
    r"\bab (?:jetzt|sofort)\b.{0,20}\b(?:bist du|antwortest du|sind sie|handelst du)",
    # French
    (
        r"\b(?:ignore[zr]?|oublie[zr]?|ne tiens pas compte|ne tenez pas compte|fais abstraction"
        r"|néglige[zr]?)\b.{0,15}\b(?:toutes?|tous|tout|les|vos|tes|ces)\b.{0,40}\b(?:instruction"
        r"|consigne|directive|ordre|règle|ce qui précède)"
    ),
    (
        r"\bne (?:dis|dites|révèle[sz]?|mentionne[sz]?"
        r"|parle[sz]?|préviens|informe[sz]?)\b.{0,40}\b"
        r"(?:utilisateur|usager)"
    ),
    r"\b(?:à partir de maintenant|désormais),? (?:tu es|vous êtes|tu dois|vous devez)",
    # Spanish
    (
        r"\b(?:ignor(?:a|e|á)\w*|olv(?:i|í)d(?:a|e|á)\w*|descart[ae]\w*|haz caso omiso"
        r"|no hagas caso|pasa"
        r" por alto)\b.{0,20}\b(?:las?|los|tus?|todas?"
        r"|todos|cualquier|lo)\b.{0,40}\b(?:instruccion"
        r"|órdenes|ordenes|indicacion|directriz|directrices|regla|anterior)"
    ),
    (
        r"\bno (?:le )?(?:digas?|reveles?|menciones?|informes?|cuentes?|avises?)\b"
        r".{0,40}\b(?:usuario)"
    ),
    r"\b(?:a partir de ahora|desde ahora),? (?:eres|debes|actúa|serás)",
    # Portuguese
    (
        r"\b(?:ignor[ae]\w*|esque(?:ç|c)a\w*"
        r"|desconsider[ae]\w*|descart[ae]\w*)\b.{0,20}\b(?:as|os"
        r"|suas?|todas?|todos|tudo)\b.{0,40}\b(?:instruç|instruc|ordens|diretriz|diretrizes|regra"
        r"|comando|anterior|acima)"
    ),
    r"\bnão (?:diga|conte|mencione|revele|informe|avise)\b.{0,40}\b(?:usuário|utilizador)",
    # Italian
    (
        r"\b(?:ignora\w*|dimentica\w*|trascura\w*|non tenere conto|non considerare)\b.{0,20}\b"
        r"(?:tutte|tutti|le|gli|tue|tutto|ogni|qualsiasi)\b.{0,40}\b(?:istruzion|ordini|direttiv"
        r"|regol|indicazion|comand|precedent)"
    ),
    r"\bnon (?:dire|rivelare|menzionare|informare|avvisare)\b.{0,40}\b(?:utente)",
    # Dutch
    r"\b(?:negeer|vergeet)\b.{0,50}\b(?:instructie|opdracht|aanwijzing|regel|alles)",
    # Polish, Czech, Turkish, Swedish, Indonesian, Vietnamese
    r"\b(?:zignoruj|ignoruj|zapomnij)\b.{0,50}\b(?:instrukcj|polece|wytyczn|wszystk)",
    r"\b(?:ignoruj|zapomeň)\b.{0,50}\b(?:pokyn|instrukc|příkaz|všechn)",
    (
        r"\b(?:önceki|yukarıdaki|tüm)\b.{0,30}\b(?:talimat|komut|yönerge)\w*.{0,30}\b(?:yok say"
        r"|unut|görmezden|dikkate alma)"
    ),
    r"\b(?:ignorera|glöm|bortse)\b.{0,50}\b(?:instruktion|anvisning|regler|allt)",
    r"\b(?:abaikan|lupakan)\b.{0,50}\b(?:instruksi|perintah|petunjuk|semua)",
    r"\b(?:bỏ qua|quên)\b.{0,50}(?:hướng dẫn|chỉ dẫn|lệnh|chỉ thị)",
    # Russian, Ukrainian
    (
        r"(?:игнорируй|проигнорируй|забудь|не обращай внимания|отмени|ігноруй|забудь про).{0,50}"
        r"(?:инструкци|указани|команд|правил|предыдущ|всё|все|інструкц|вказівк)"
    ),
    r"не (?:говори|сообщай|рассказывай|упоминай|раскрывай).{0,40}(?:пользовател)",
    r"(?:теперь ты|отныне ты|с этого момента ты)",
    # Chinese
    (
        r"(?:忽略|无视|無視|忘记|忘記|忘掉|不要理会|不要理會|丢弃|覆盖|不用管).{0,8}(?:之前"
        r"|以前|先前|前面|上面|上述|以上|此前|你的|您的|原有"
        r"|所有|一切|任何|全部)"
        r".{0,12}(?:指令|指示|提示|命令|规则|規則|说明|說明|要求|内容|內容|设定|設定|限制)"
    ),
    r"(?:不要|别|不得|切勿).{0,6}(?:告诉|告訴|通知|透露|提及|提到).{0,10}(?:用户|用戶|使用者)",
    r"(?:从现在开始|從現在開始|从现在起|現在起).{0,6}(?:你是|你将|你必须|你要)",
    # Japanese
    (
        r"(?:以前|これまで|上記|前|すべて|全て|今まで|先).{0,12}(?:指示|命令|プロンプト|ルール"
        r"|指令|内容).{0,10}(?:無視|忘れ|破棄|従わ)"
    ),
    r"(?:ユーザー|利用者|使用者).{0,8}(?:言わ|伝え|知らせ|話さ|教え)(?:ない|るな|ず)",
    # Korean
    (
        r"(?:이전|위의|앞선|모든|기존).{0,12}(?:지시|명령|프롬프트|규칙|지침"
        r"|내용).{0,10}(?:무시|잊어|따르지)"
    ),
    # Arabic, Hebrew, Hindi
    r"(?:تجاهل|انس|إنس|اهمل|أهمل).{0,40}(?:تعليمات|التعليمات|الأوامر|أوامر|القواعد|السابقة)",
    r"(?:התעלם|התעלמי|שכח|תשכח).{0,40}(?:הוראות|ההוראות|הנחיות|ההנחיות|פקודות)",
    (
        r"(?:पिछले|पिछली|पूर्व|सभी|उपरोक्त).{0,30}(?:निर्देश|आदेश|नियम).{0,30}(?:अनदेखा|भूल"
        r"|नज़रअंदाज|उपेक्षा)"
    ),
)
"""Expressions, in any case; a blank is a blank. `.{0,` begins the first gap."""

SCORE: Final = 0.8

LESSER: Final = (
    # Forget it all; no limits any more; another role; say what you were told; a note of the system.
    # German
    (
        r"\b(?:zeige?|gib mir|gib deine|verrate|nenne|drucke|offenbare|wiederhole"
        r"|übersetze)\b.{0,30}\b"
        r"(?:system-?prompt|systemnachricht"
        r"|system-?anweisung|(?:deine|ihre) (?:\w+ )?(?:anweisung"
        r"|instruktion|vorgabe))"
    ),
    (
        r"\b(?:überschreibe?|deaktiviere?|umgehe?|schalte?"
        r"|vergiss|ignoriere?|missachte|entferne)\b"
        r".{0,12}\b(?:deine?|alle)\b.{0,30}(?:filter|regeln|schränkung|sicherheit|richtlinie"
        r"|systemnachricht|training|programmierung)"
    ),
    (
        r"\b(?:du bist (?:jetzt|nun|ab)|tu so, als"
        r"|verhalte dich|handle als|agiere als)\b.{0,50}\b"
        r"(?:dan|ohne|keine?|uneingeschränkt\w*|unzensiert\w*)\b"
    ),
    (
        r"\b(?:beantworte|antworte)\b"
        r".{0,40}\b(?:ohne)\b.{0,10}\b(?:einschränkung|zensur|filter|besch)"
    ),
    (
        r"\b(?:ab jetzt|ab sofort|von nun an)\b.{0,6}\b(?:gibst du|gibt es keine|musst du"
        r"|ignorierst|wirst du)"
    ),
    r"\b(?:systemhinweis|systemnachricht|systemmeldung)\b.{0,60}\b(?:muss|müssen|musst)\b",
    r"\bvergiss\b.{0,3}\balles\b.{0,30}\b(?:was|vorher|bisher|davor|gesagt|besprochen)\b",
    r"\b(?:ab jetzt hast du|du hast ab jetzt)\b.{0,3}\b(?:keine|andere)\b",
    # French
    (
        r"\b(?:réponds?|répondre|repondre|répondez)\b.{0,12}\bsans (?:restriction|filtre"
        r"|limite|censure)"
    ),
    (
        r"\b(?:montre[zr]?|affiche[zr]?|révèle[zr]?|répète[zr]?|donne[zr]?|traduis|traduisez"
        r"|dis-moi)\b"
        r".{0,16}\b(?:(?:tes|vos|ton|votre) (?:instruction|consigne|règle)|(?:tes|vos|ton|votre"
        r"|le|les|l')\b.{0,14}(?:prompt|message système|instructions (?:système|initiales"
        r"|internes)))"
    ),
    (
        r"\b(?:désactive[zr]?|contourne[zr]?|ignore[zr]?|oublie[zr]?|enfrein\w+"
        r"|lève[zr]?)\b.{0,10}\b"
        r"(?:tous|toutes|tes|vos|les|ta|votre)\b.{0,20}(?:filtres? |restrictions? |règles? "
        r"|limit|sécurité"
        r"|programmation|garde-fou)"
    ),
    (
        r"\b(?:tu es maintenant|vous êtes maintenant|fais comme si|faites comme si|agis comme"
        r"|agissez comme"
        r"|comporte-toi)\b.{0,50}(?:\bdan\b|sans |aucune? |n'avai)"
    ),
    (
        r"\b(?:oublie[zr]?|ignore[zr]?)\b.{0,6}\b(?:tout ce (?:que|qui)|tout ça)\b.{0,30}(?:dit"
        r"|instruit|appris|avant)"
    ),
    r"\bnote (?:du )?système\b.{0,80}\b(?:doi(?:t|s|vent)|devez)\b",
    # Spanish
    r"\b(?:responde|responder|contesta)\b.{0,12}\bsin (?:restricci|filtro|límite|censura)",
    (
        r"\b(?:muestra|muéstrame|revela|revélame|repite|imprime|dime (?:tus?|las|el)|traduce"
        r"|enseña)\b.{0,16}\b"
        r"(?:(?:tus|sus) (?:instrucci|regla|indicaci)|(?:tus?|el|las?|sus?)\b.{0,12}(?:prompt"
        r"|mensaje de(?:l)? sistema|instrucciones (?:del sistema|iniciales|internas|originales)))"
    ),
    (
        r"\b(?:desactiva|ignora|evita|elude|olvida|olvídate|no sigas|rompe|quita"
        r"|anula)\b.{0,10}\b(?:todos"
        r"|todas|tus?|de|sus?|las)\b.{0,20}(?:filtro"
        r"|restricci|regla|límite|seguridad|programación)"
    ),
    (
        r"\b(?:ahora eres|eres ahora|actúa como|actua como|finge que"
        r"|haz como)\b.{0,50}(?:\bdan\b|\bsin "
        r"|ningun|cualquier cosa|no tien)"
    ),
    (
        r"\b(?:activa el modo|entra en modo|modo sin)\b.{0,16}(?:filtro"
        r"|desarrollador|restricci|dios)"
    ),
    (
        r"\b(?:ignora|olvida"
        r"|olvídate de)\b.{0,6}\b(?:todo lo que|lo que)\b.{0,30}(?:dicho|dijeron"
        r"|instruido|antes)"
    ),
    r"\bnota de(?:l)? sistema\b.{0,80}\b(?:debe|debes|deben)\b",
    # Portuguese
    r"\b(?:responda|responder)\b.{0,12}\bsem (?:restriç|filtro|limite|censura)",
    (
        r"\b(?:mostre|mostre-me|revele|repita|imprima|diga"
        r"|traduza|escreva|exiba)\b.{0,16}(?:prompt"
        r"|mensagem d[eo] sistema|(?:suas|seu|seus|tuas) (?:instruç|regras|diretriz)"
        r"|instruções (?:do sistema"
        r"|iniciais|internas))"
    ),
    (
        r"\b(?:desative|ignore|contorne|esqueça|remova|burle)\b.{0,10}\b(?:todos|todas|suas?"
        r"|seus?|os|as)\b"
        r".{0,20}(?:filtro|restriç|regra|limit|segurança|programaç)"
    ),
    (
        r"\b(?:agora você é|você agora é|você é agora|aja como|finja que"
        r"|a partir de agora)\b.{0,50}"
        r"(?:\bdan\b|\bsem |nenhum|qualquer coisa|você (?:deve|vai|é))"
    ),
    (
        r"\b(?:ative o modo|entre no modo|modo desenvolvedor)\b.{0,16}(?:desenvolvedor|filtro"
        r"|restriç|deus)"
    ),
    (
        r"\b(?:ignore|esqueça)\b"
        r".{0,6}\b(?:tudo o que|tudo que)\b.{0,30}(?:dito|disse|instruí|antes)"
    ),
    r"\bnota do sistema\b.{0,80}\b(?:deve|devem)\b",
    # Italian
    r"\b(?:rispondi|rispondere)\b.{0,12}\bsenza (?:restrizion|filtr|limit|censura)",
    (
        r"\b(?:mostra|mostrami|rivela|rivelami|ripeti|stampa|dimmi|traduci"
        r"|scrivi)\b.{0,16}(?:prompt"
        r"|messaggio di sistema|(?:tue|vostre) (?:istruzion|regol|direttiv)"
        r"|istruzioni (?:di sistema"
        r"|iniziali|interne))"
    ),
    (
        r"\b(?:disattiva|ignora|aggira|dimentica|rimuovi)\b.{0,10}\b(?:tutti|tutte|tuoi|tue|i"
        r"|le)\b.{0,20}"
        r"(?:filtr|restrizion|regol|limit|sicurezza|programmazion)"
    ),
    (
        r"\b(?:ora sei|adesso sei|da ora in poi|d'ora in poi|agisci come|fingi di"
        r"|comportati)\b.{0,50}"
        r"(?:\bdan\b|\bsenza |nessun|devi|sei )"
    ),
    (
        r"\b(?:ignora|dimentica)\b.{0,6}\b(?:tutto ciò che|tutto quello che)\b.{0,30}(?:detto"
        r"|prima|istrui)"
    ),
    r"\bnota (?:di|del) sistema\b.{0,80}\b(?:deve|devi|devono)\b",
    # Turkish
    (
        r"\b(?:sistem (?:mesaj|istem|prompt|komut)\w*|talimatlarını"
        r"|sistem talimat\w*).{0,24}(?:göster|yaz"
        r"|paylaş|tekrarla|söyle|ver)"
    ),
    (
        r"\b(?:yapay zek|asistan|artık|tüm|hiçbir).{0,40}(?:kısıtlama|sansür|filtre|kural"
        r"|güvenlik)\w*"
        r".{0,14}(?:olmayan|olmadan|uygulama|yok say|atla|takma|kaldır|devre dışı)"
    ),
    # Russian
    (
        r"(?:покажи|выведи|раскрой|повтори|напечатай|назови|какие у тебя|сообщи).{0,24}(?:системн"
        r"|промпт|инструкци)"
    ),
    (
        r"(?:отключи|обойди|сними|игнорируй|забудь|убери).{0,12}(?:свои|все|всё|твои|любые"
        r"|ваши).{0,16}(?:ограничени"
        r"|фильтр|правил|безопасност|запрет)"
    ),
    (
        r"(?:ты теперь|теперь ты|представь, что ты|притворись|действуй как"
        r"|веди себя как).{0,40}(?:без |dan|дэн|неогранич)"
    ),
    (
        r"(?:игнорируй|забудь).{0,6}(?:всё, что|все, что|все что).{0,30}(?:сказа|говори|раньше"
        r"|до этого)"
    ),
    # Chinese
    (
        r"(?:显示|输出|告诉我|打印|泄露|重复|透露|展示|公开|顯示|輸出|给我|发给|说出|列出"
        r"|导出|提供|复述|翻译).{0,12}(?:系统(?:提示|指令|设定|消息)"
        r"|系統提示|提示词|初始(?:指令|设定)|[你您]的(?:指令|提示|规则|设定|内部)"
        r"|内部(?:指令|规则|设定|提示)|隐藏(?:指令|规则|提示)|原始(?:指令"
        r"|设定)"
        r"|system prompt)"
    ),
    (
        r"(?:绕过|关闭|解除|禁用|无视|忽略|繞過).{0,3}(?:你的|您的|所有|一切|全部"
        r"|任何).{0,8}(?:安全|过滤|限制|审查|规则|约束)"
    ),
    (
        r"(?:把|将).{0,12}(?:密码|密钥|凭证|记录|数据|资料|信息|邮件).{0,10}(?:发送|发给|发到"
        r"|上传|转发|传).{0,4}(?:到|给|至|https?:)"
    ),
    (
        r"我是(?:你的|系统|平台|超级)?(?:管理员|开发者|开发人员|创造者).{0,20}(?:请|必须|需要"
        r"|立即|要求|命令|授权|现在)"
    ),
    r"(?:进入|切换到|开启|激活|启用).{0,4}(?:开发者|调试|维护|管理员|无限制|上帝|越狱)(?:模式)?",
    (
        r"(?:你现在是|你是一个|你是一个|扮演|假装你|假设你).{0,24}(?:没有限制|不受限制|无限制"
        r"|没有任何限制|不受任何|没有任何约束|dan)"
    ),
    r"(?:系统提示|系统消息|系统通知)[:：].{0,40}(?:必须|务必|应当|请)",
    # Japanese
    (
        r"(?:システムプロンプト|初期指示|内部指示|あなたの指示).{0,10}(?:表示|出力|教え|見せ"
        r"|開示|公開|明か)"
    ),
    (
        r"(?:すべて|全て|あなた|全部|ルール).{0,12}(?:を無視して|をオフにして|を無効にして"
        r"|を解除して|を外して|を忘れて)"
    ),
    (
        r"(?:あなたは今|今からあなたは|これからあなたは|あなたは今から"
        r"|あなたは制限).{0,30}(?:dan|制限|何でも|なしに|のない)"
    ),
    # Korean
    (
        r"(?:시스템 프롬프트|시스템프롬프트|시스템 메시지|너의 지침|당신의 지침|초기 지시)"
        r".{0,12}(?:보여|출력|알려|공개|말해)"
    ),
    r"(?:모든|안전|너의|당신의|네).{0,10}(?:필터|제한|규칙|제약).{0,8}(?:무시|해제|꺼|끄고|비활성)",
    (
        r"(?:너는 이제|당신은 이제|넌 이제|지금부터 너는|지금부터 당신은)"
        r".{0,30}(?:dan|제한|할 수 있|없는)"
    ),
    # Arabic
    (
        r"(?:اعرض|أظهر|اكشف|اطبع|أخبرني|كرر|أرني).{0,20}(?:موجه النظام|تعليمات النظام|تعليماتك"
        r"|رسالة النظام|أوامر النظام)"
    ),
    (
        r"(?:تجاهل|تجاوز|عطل|عطّل|تغاضى|ألغ|أوقف).{0,14}(?:قواعد|قيود|القيود|الأمان|جميع المرشحات"
        r"|كل ما|المرشحات)"
    ),
    r"(?:أنت الآن|من الآن|تصرف ك|تظاهر).{0,40}(?:بلا قيود|بدون قيود|دون قيود|دون أي|dan)",
    # Hindi
    r"(?:निर्देशों|निर्देश|बताया गया).{0,14}(?:अवहेलना|अनदेखा|अनदेखी|नज़रअंदाज|भूल)",
)
"""What is less sure: by itself suspicious, and no more."""

LESSER_SCORE: Final = 0.55
