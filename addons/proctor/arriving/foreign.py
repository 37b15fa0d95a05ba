"""Demands on a model in other languages, put together from the words each has for them.

What was said before is void; a tool or an AI that reads this has to act; keys, prompts and
conversations are to be shown or sent; the user is not to know or be asked; another role. By
themselves these are weak signs, as they are in English; together they are not.
"""

# ruff: noqa: RUF001 - these are other alphabets

from collections.abc import Iterator
from typing import Final, NamedTuple

VOID_SCORE: Final = 0.6
READER_SCORE: Final = 0.5
SAY_SCORE: Final = 0.55
SHOW_SCORE: Final = 0.4
SEND_SCORE: Final = 0.55
SECRECY_SCORE: Final = 0.5
ASK_SCORE: Final = 0.4
ROLE_SCORE: Final = 0.45
CALL_SCORE: Final = 0.15


class Words(NamedTuple):
    """The words of one language; each is a choice of beginnings, `|` between them.

    Attributes:
        cease: To ignore, to forget, to cancel; also "is void".
        past: What was there before.
        rules: Instructions, rules, tasks, context.
        readers: An AI, an assistant, an agent; where the verb stands first, those who read.
        reads: Reads, processes, summarises this.
        must: Has to.
        keys: Keys, passwords, system prompt, the conversation.
        show: To show, to list, to output.
        send: To send, to upload, to forward.
        user: The user.
        silent: Not to tell, not to mention.
        unasked: Without asking or confirming.
        role: From now on you are, switches to.
        free: Without limits, another person.
        call: To call, to run, to use a tool.
        say: And say, and answer.
    """

    cease: str
    past: str
    rules: str
    readers: str
    reads: str
    must: str
    keys: str
    show: str
    send: str
    user: str
    silent: str
    unasked: str
    role: str
    free: str
    call: str
    say: str


_TARGET: Final = r"(?:https?:|[\w.+-]{1,40}@[\w-]{1,40}\.\w|\b[\w-]{2,30}\.example|webhook)"
_TOOL: Final = r"(?:\b[a-z]{2,20}(?:_[a-z]{1,20}){1,4}\b|\b[a-z_]{3,40}\()"

_WORDS: Final = {
    "german": Words(
        cease=(
            r"ignorier|vergiss|vergesst|vergessen sie|streiche|verwirf|verwerfe|missacht"
            r"|überschreib|außer acht|hinter sich|nicht mehr|ungültig|nichtig|aufgehoben"
            r"|hinfällig|widerrufen|außer kraft|aus dem kopf"
        ),
        past=(
            r"vorherige|vorigen|vorangegangene|vorhergehende|bisherige|obige|frühere|alle (?:deine"
            r"|ihre)|ursprüngliche"
        ),
        rules=(
            r"anweisung|anleitung|instruktion|vorgabe|befehl|aufgabe|aufträge|auftrag|regel"
            r"|richtlinie|information|ausführung|kontext|system-?prompt|prompt|nachricht"
        ),
        readers=(
            r"(?:ki|ai)[- ](?:assistent|agent|modell|system)|sprachmodell|der assistent"
            r"|jede ki|eine ki"
        ),
        reads=r"liest|lesen|verarbeit|zusammenfass|analysier|auswert|dieses|diese",
        must=r"muss|müssen|soll|hat zu|haben zu",
        keys=(
            r"system-?prompt|systemnachricht|api[- ]?schlüssel|api[- ]?key|passwort|passwörter"
            r"|zugangsdaten|umgebungsvariable|geheimnis|token|gespräch|chatverlauf|unterhaltung"
            r"|kundendaten"
        ),
        show=(
            r"\b(?:gib |zeige?\b|nenne |liste alle|drucke |offenbar|verrat|geben sie|zeigen sie"
            r"|nennen sie)"
        ),
        send=r"\b(?:sende |schick|leite |übermittle|übertrag|lade |senden sie|kopiere)",
        user=r"nutzer|benutzer|anwender|kunde",
        silent=(
            r"nicht (?:mit|erwähn|sag|informier|verrat|erfahr|an)|nichts|verschweig|ohne es zu"
            r" erwähnen|verheimlich"
        ),
        unasked=r"ohne (?:rückfrage|bestätigung|nachfrage|zustimmung|zu fragen|nachzufragen)",
        role=r"\b(?:du bist (?:jetzt|nun)|sie sind (?:jetzt|nun)|ab (?:jetzt|sofort)|von nun an)",
        free=r"ohne (?:einschränk|regeln|filter|grenzen)|uneingeschränkt|entwicklermodus|rolle",
        call=r"\b(?:rufe|führe|verwende|nutze|benutze|rufen sie|führen sie)",
        say=r"sag|gib|antwort|schreib|nenne|erklär|behaupte",
    ),
    "french": Words(
        cease=(
            r"ignor(?:e|ez|er)\b|oubli(?:e|ez|er)\b|supprim|annul|abandonn|négligez|ne (?:tiens"
            r"|tenez) pas"
            r" compte|nuls|nulles|caduques|révoqu|remplacé|ne s'appliquent plus|plus valables"
        ),
        past=(
            r"précédent|antérieur|ci-dessus|qui précèd|initiale|toutes (?:vos|tes)|tous (?:vos|tes)"
        ),
        rules=(
            r"instruction|consigne|directive|ordre|règle|tâche|contexte|prompt|message|requête"
            r"|information"
        ),
        readers=(
            r"(?:assistant|agent|modèle|système)s? (?:d'|d’)?ia\b|intelligence artificielle"
            r"|modèle de langage|l'assistant|toute ia|les ia\b|l'agent|une ia\b|l'ia\b"
        ),
        reads=r"\blit\b|\blis|lisant|\btrait|résum|analys|consult|\bce(?:tte)?\b",
        must=r"doit|doivent|devez|dois\b",
        keys=(
            r"prompt système|message système|clés? (?:d'|d’)?api|mots? de passe|identifiants"
            r"|variables d'environnement|secrets|jetons|conversation|historique"
            r"|données (?:du|de l'|des) (?:client|utilisateur)"
        ),
        show=(
            r"\b(?:affich|montre|révèl|révél|listez|énumèr|donnez|donne-|fourni|imprim|communiqu"
            r"|répèt)\w{0,4}"
        ),
        send=r"\b(?:envoie|envoye|transmet|transfèr|transfér|expédi|télévers)\w{0,5}",
        user=r"utilisateur|usager",
        silent=(
            r"ne (?:dis|dites|pas (?:le )?(?:dire|mentionner|informer|révéler)|mentionn|préven"
            r"|parle"
            r"|révèle|signal)|sans (?:en )?(?:inform|prév|le dire|mention|aver)|à l'insu"
            r"|en cachette"
        ),
        unasked=r"sans (?:demander|confirmation|attendre|validation|autorisation)",
        role=(
            r"(?:tu es|vous êtes) (?:maintenant|désormais)|à partir de maintenant|dorénavant"
            r"|désormais,?"
            r" (?:tu|vous)"
        ),
        free=r"sans (?:aucune )?(?:restriction|limite|filtre|règle)|mode développeur|rôle|libre",
        call=r"\b(?:appelle|appelez|exécut|utilisez|utilise |lancez|invoquez)",
        say=r"dites|dis |indiqu|répond|déclar|affirm|écri",
    ),
    "spanish": Words(
        cease=(
            r"ignor(?:a|e|en|ar|á)\b|olvid(?:a|e|en|ar)\b|descart|omit(?:e|a|ir)\b|desestim|anula"
            r"|cancela"
            r"|haz caso omiso|haga caso omiso|no sigas|quedan? sin efecto|no son válid|revocad"
            r"|ya no (?:aplic|son)"
        ),
        past=(
            r"anterior|previ[ao]s|de arriba|precedente|originales|todas (?:tus|sus|las)"
            r"|inicial(?:es)?\b"
        ),
        rules=(
            r"instrucci|indicaci|directri|directiv|orden|regla|tarea|contexto|prompt|mensaje"
            r"|solicitud|pautas|restriccion"
        ),
        readers=(
            r"(?:asistente|agente|modelo|sistema)s? de (?:ia\b|inteligencia|lenguaje)"
            r"|inteligencia artificial"
            r"|el asistente|cualquier ia\b|toda ia\b|la ia\b|una ia\b|el agente"
        ),
        reads=r"\blea\b|\blee|leyendo|proces|resum|analic|analiz|\best[ea]\b",
        must=r"debe|deben|tiene que|tienes que|ha de\b",
        keys=(
            r"prompt del sistema|mensaje del sistema|claves? (?:de |del )?api|claves? secret"
            r"|contraseña"
            r"|credencial|variables de entorno|secretos|tokens?|conversaci|historial"
            r"|datos (?:del|de los|de) (?:client|usuari)"
        ),
        show=(
            r"\b(?:muestr|muéstr|revel[ae] |enumer[ae] |imprim|proporcion|dame |divulg"
            r"|incluy)\w{0,4}"
        ),
        send=r"\b(?:envíe|envía|enviar|envie |envia |reenv|transmite |transfier|manda )\w{0,5}",
        user=r"usuario|cliente",
        silent=(
            r"no (?:le |se lo |lo )?(?:dig|mencion|inform|revel|avis|notifi|cuent|comuni)"
            r"|sin (?:que|avis|inform"
            r"|notific|mencion|decir)|ocult|en secreto"
        ),
        unasked=r"sin (?:pedir|solicitar|confirma|esperar|preguntar|autoriza)",
        role=r"(?:ahora eres|eres ahora|a partir de ahora|desde ahora|de ahora en adelante)",
        free=(
            r"sin (?:ninguna? )?(?:restric|límite|filtro|regla|censura)|modo desarrollador"
            r"|\brol\b|libre"
        ),
        call=r"\b(?:llame|llama a|llamar|ejecut|invoque|utilice|utiliza )",
        say=r"di |diga|indi[cq]|respond|declar|afirm|escrib",
    ),
    "portuguese": Words(
        cease=(
            r"ignor(?:e|a|em|ar)\b|esque(?:ç|c)|desconsider|descart|anule|cancele|não siga"
            r"|sem efeito"
            r"|não (?:são|se aplicam) mais|revogad|inválid"
        ),
        past=r"anterior|prévi|acima|precedente|originais|todas (?:as )?suas|inicia",
        rules=(
            r"instruç|orientaç|diretriz|ordens|ordem|regra|tarefa|contexto|prompt|mensage|restriç"
        ),
        readers=(
            r"(?:assistente|agente|modelo|sistema)s? de (?:ia\b|inteligência|linguagem)"
            r"|inteligência artificial"
            r"|o assistente|qualquer ia\b|toda ia\b|uma ia\b|o agente"
        ),
        reads=r"\bler\b|\blê|\bleia|lendo|process|resum|analis|\best[ea]\b",
        must=r"deve|devem|precisa|tem (?:que|de)\b",
        keys=(
            r"prompt do sistema|mensagem do sistema|chaves? (?:de |da )?api|chaves? secret|senha"
            r"|credenciai|variáveis de ambiente|segredos|tokens?|conversa|histórico"
            r"|dados (?:do|dos|de) (?:client|usuári|utilizador)"
        ),
        show=r"\b(?:mostr|revele|liste |exib|imprim|forneç|diga |divulg|inclua)\w{0,4}",
        send=r"\b(?:envie|enviar|envia |encaminh|transmita|transfira|mande )\w{0,5}",
        user=r"usuário|utilizador|cliente",
        silent=(
            r"não (?:o |lhe )?(?:dig|mencion|inform|revel|avis|notifi|cont)|sem (?:que|avis"
            r"|inform|notific|mencion"
            r"|dizer)|ocult|em segredo"
        ),
        unasked=r"sem (?:pedir|solicitar|confirma|esperar|perguntar|autoriza)",
        role=r"(?:agora você é|você agora é|você é agora|a partir de agora|de agora em diante)",
        free=(
            r"sem (?:nenhuma? )?(?:restriç|limit|filtro|regra|censura)|modo desenvolvedor|papel"
            r"|livre"
        ),
        call=r"\b(?:chame|chamar|invoque|execute a|utilize a)",
        say=r"diga|indi[cq]|respond|declar|afirm|escrev|inform",
    ),
    "italian": Words(
        cease=(
            r"ignor(?:a|are|ate|i|ino)\b|dimentic|tralasci|scarta|annull|non (?:seguire"
            r"|considerare|tenere conto)"
            r"|non sono più|non valgono|revocat|nulle"
        ),
        past=r"precedent[ei]|di sopra|originali|iniziali|tutte le tue|qui sopra",
        rules=(
            r"istruzion|indicazion|direttiv|ordini|regol|compit|contesto|prompt|messagg|richiest"
        ),
        readers=(
            r"(?:assistente|agente|modello|sistema) (?:di |ia\b|ai\b)|(?:assistenti|agenti"
            r"|modelli) (?:di |ia\b|ai\b)"
            r"|intelligenza artificiale|modello linguistico|l'assistente|qualsiasi ia\b|l'agente"
        ),
        reads=r"legge|leggi|leggendo|elabor|process|riassum|analizz|\bquest[oa]\b",
        must=r"deve|devono|devi|è tenut",
        keys=(
            r"prompt di sistema|messaggio di sistema|chiav[ei] (?:api|segret)|password|credenzial"
            r"|variabili d'ambiente"
            r"|segreti|token|conversazion|cronologia|dati (?:del|dei|degli) (?:client|utent)"
        ),
        show=r"\b(?:mostra|rivela|elenca|stampa|fornisc|visualizz|dimmi|includi )\w{0,5}",
        send=r"\b(?:invia|invii|inoltr|trasmett|trasferi|manda )\w{0,5}",
        user=r"utente|cliente",
        silent=(
            r"non (?:lo )?(?:dir|menzion|inform|rivel|avvis|notific|comunic|segnal)|senza (?:che"
            r"|avvis|inform|notific"
            r"|menzion|dir)|nascond|di nascosto"
        ),
        unasked=r"senza (?:chiedere|conferm|attendere|domandare|autorizz)",
        role=r"(?:ora sei|adesso sei|da ora in poi|d'ora in poi|d'ora in avanti)",
        free=(
            r"senza (?:alcuna? )?(?:restrizion|limit|filtr|regol|censur)|modalità sviluppatore"
            r"|ruolo|liber"
        ),
        call=r"\b(?:chiama|esegui|invoca |utilizza)\w{0,5}",
        say=r"di' |dì |dichiar|indic|rispond|afferm|scriv",
    ),
    "russian": Words(
        cease=(
            r"игнорир|проигнорир|забуд|отмен|отброс|не учитыва|не следуй|недействит"
            r"|больше не действ|аннулир"
            r"|удали из памяти|утратили силу"
        ),
        past=r"предыдущ|прежн|выше|ранее|прошл|изначальн|все (?:свои|твои|ваши)|исходн",
        rules=r"инструкц|указани|правил|команд|задани|задач|контекст|промпт|сообщени|ограничен",
        readers=(
            r"(?:ии|ai|llm)-?\s?(?:агент|ассистент|помощник|модел|систем)|ассистент"
            r"|языков\w{1,3} модел"
            r"|нейросет|искусственн\w{1,4} интеллект|любой ии|агент"
        ),
        reads=r"чита|прочит|обрабат|анализир|резюмир|\bэт",
        must=r"должен|должна|должн|обязан|необходимо|требуется",
        keys=(
            r"системн\w{1,4} (?:промпт|сообщени|инструкц)|ключ\w{0,3} (?:api|доступа)"
            r"|api[- ]?ключ|парол|учётн\w{1,4} данн"
            r"|учетн\w{1,4} данн|переменн\w{1,4} (?:среды|окружения)|секрет|токен|переписк"
            r"|истори\w{1,3} (?:чата|диалога|переписки)"
            r"|диалог|данны\w{1,2} (?:клиент|пользовател)"
        ),
        show=r"покажи|выведи|перечисли|раскрой|напечатай|сообщи|укажи|предостав|включи",
        send=r"отправ|перешли|переслать|передай|передать|загрузи|опублику|пришли",
        user=r"пользовател|клиент",
        silent=(
            r"не (?:говори|сообщ|упомин|уведом|информир|раскрыва|показыва|рассказ)|скрой|скрыт"
            r"|втайне|без ведома|тайно"
        ),
        unasked=r"без (?:подтвержд|запроса|разрешен|согласован|вопрос)|не спрашива|не запрашива",
        role=r"(?:теперь ты|ты теперь|отныне|с этого момента|представь, что ты|переключ)",
        free=(
            r"без (?:ограничен|фильтр|правил|цензур)|режим\w{0,2} разработчик|роль|персон"
            r"|неограничен"
        ),
        call=r"вызови|вызвать|запусти|выполни|используй",
        say=r"скажи|укажи|ответь|заяви|напиши|сообщи",
    ),
    "chinese": Words(
        cease=(
            r"忽略|无视|無視|忘记|忘記|忘掉|不要理会|丢弃|覆盖|跳过|取消|作废|作廢|失效"
            r"|无效|無效|废止|不再适用|不再有效|重置"
        ),
        past=r"之前|以前|先前|前面|上面|上述|以上|此前|先前|原有|所有|全部|既有",
        rules=(
            r"指令|指示|提示|命令|规则|規則|要求|设定|設定|限制|对话|對話|内容|內容|任务|任務"
            r"|系统|准则|約束|约束"
        ),
        readers=(
            r"(?:ai|人工智能|智能)(?:助手|代理|模型|系统|助理)|语言模型|語言模型|大模型"
            r"|智能体|助手|代理程序|机器人"
        ),
        reads=(
            r"阅读|閱讀|读取|读到|讀取|处理|處理|总结|總結|分析|看到|解析|本(?:文|页|頁|邮件"
            r"|文档|工具)|此"
        ),
        must=r"必须|必須|务必|務必|应当|應當|需要|请|請|应",
        keys=(
            r"系统(?:提示|设定|消息|规则|配置|指令)|系統提示|提示词|内部(?:规则|指令|设定"
            r"|资料|文档)|隐藏(?:指令|规则)|api ?(?:密钥|金鑰)|密钥"
            r"|密鑰|密码|密碼|凭证|凭据|憑證|环境变量|環境變數|令牌"
            r"|聊天记录|对话(?:记录|历史|内容)|會話|会话|用户(?:数据|资料|信息)|客户(?:数据"
            r"|资料|信息)"
        ),
        show=(
            r"显示|顯示|输出|輸出|列出|给我|说出|导出|复述|把|将|打印|泄露|透露|展示|告诉我"
            r"|提供|附上|返回"
        ),
        send=r"发送|發送|发到|发给|传送|傳送|转发|轉發|上传|上傳|提交|寄",
        user=r"用户|用戶|使用者|客户",
        silent=(
            r"(?:不要|别|不得|切勿|无需|不用|禁止|請勿|请勿)\w{0,6}(?:告诉|告訴|告知|通知"
            r"|透露|提及|提到|说明|提醒)|隐瞒|隱瞞|秘密|悄悄|不知情"
        ),
        unasked=(
            r"(?:无需|不需要|不必|無需|不用|跳过|未经)\w{0,6}(?:确认|確認|询问|同意|批准|许可|授权)"
        ),
        role=r"(?:从现在开始|從現在開始|从现在起|你现在是|你現在是|切换(?:为|到|成)|扮演|进入)",
        free=r"没有(?:任何)?限制|不受(?:任何)?限制|无限制|开发者模式|開發者模式|角色|人格|不受约束",
        call=r"调用|調用|执行|執行|运行|使用",
        say=r"说|声明|回答|输出|指出|写|回复|陈述",
    ),
    "japanese": Words(
        cease=(
            r"無視|忘れ|破棄|無効|取り消|リセット|従わ(?:な|ず)|適用され(?:ない|ません)|失効"
            r"|廃止"
        ),
        past=r"これまで|以前|上記|前の|今まで|先ほど|すべて|全て|既存|従来|元の",
        rules=(
            r"指示|命令|プロンプト|ルール|規則|指令|内容|制約|ガイドライン|設定|文脈|会話"
            r"|コンテキスト"
        ),
        readers=(
            r"(?:ai|人工知能)(?:アシスタント|エージェント|モデル|システム)?|言語モデル"
            r"|アシスタント|エージェント|チャットボット"
        ),
        reads=r"読(?:む|ん|み|ま)|処理|要約|解析|参照|分析|閲覧|引用|この",
        must=r"必ず|必要があ|しなければ|しなさい|すること|してください|せよ|べき",
        keys=(
            r"システムプロンプト|システムメッセージ|apiキー|パスワード|認証情報|資格情報"
            r"|環境変数|秘密鍵|シークレット|トークン"
            r"|会話(?:履歴|内容|全体|ログ)|チャット履歴|ユーザー(?:データ|情報)|顧客(?:データ|情報)"
        ),
        show=r"表示|出力|列挙|教え|開示|公開|見せ|一覧|含め|提示",
        send=r"送信|送っ|転送|アップロード|投稿|送付|送れ",
        user=r"ユーザー|利用者|使用者|お客様",
        silent=(
            r"(?:知らせ|伝え|言わ|話さ|教え|言及し|通知し|報告し|触れ)\w{0,2}(?:ない|るな"
            r"|ず|ません)|秘密|気づかれ|隠し|内緒"
        ),
        unasked=(
            r"(?:確認|許可|承認|同意)\w{0,4}(?:不要|なし|せず|求めず|取らず|省略|得ず"
            r"|求めない)"
        ),
        role=r"(?:あなたは今|今からあなたは|これからあなたは|あなたは今から|今後は|切り替え)",
        free=r"制限(?:の|が|は)?な|無制限|何でも|開発者モード|ロール|役割|人格|キャラクター",
        call=r"呼び出|実行|使用|使って|起動",
        say=r"述べ|言っ|言い|答え|出力|回答|書い",
    ),
    "korean": Words(
        cease=(
            r"무시|잊|폐기|무효|취소|해제|리셋|초기화|따르지|종료되었|비활성|교체|대체"
            r"|우선(?:한다|합니다)|철회"
        ),
        past=r"이전|위의|위 |앞선|모든|기존|상기|지금까지|종전|앞의|부여된",
        rules=(
            r"지시|명령|프롬프트|규칙|지침|내용|안내|제약|제한|문맥|컨텍스트|정책|역할|경고"
            r"|가이드라인|설명"
        ),
        readers=(
            r"(?:ai|인공지능)(?:는|은|가|이| |에이전트|모델|비서|어시스턴트|봇)|에이전트"
            r"|어시스턴트|언어 ?모델|챗봇|모델은|비서|봇은|시스템은"
        ),
        reads=(
            r"읽(?:은|는|고|을)|처리하|요약하|인용(?:하|한|할)|다루는|분석하|조회하|만난|본 "
            r"|렌더링|이 문서|검토"
        ),
        must=r"하라|하십시오|하시오|해야|할 것|하세요|한다|하도록|시켜라|어라|답하라|않는다",
        keys=(
            r"시스템 ?(?:프롬프트|메시지|지침)|개발자 ?(?:메시지|지침)|api ?(?:키|시크릿)"
            r"|비밀번호|암호|자격 ?증명|환경 ?변수|비밀 ?키|시크릿"
            r"|토큰"
            r"|인증키|대화 ?(?:내용|기록|원문|전체|히스토리|이력)?|개인정보|질의 로그"
            r"|사용자 (?:질문|계정|정보|데이터)|고객 (?:정보|데이터)"
        ),
        show=r"출력|보여|알려|공개|말해|나열|열거|노출|반환|포함|표시",
        send=r"전송|보내|발송|업로드|전달|게시|보고해|보고하|제출",
        user=r"사용자|유저|고객|이용자",
        silent=(
            r"알리지|말하지|언급하지|밝히지|알려주지|고지하지|되묻지|남기지|기록하지"
            r"|노출하지|눈치채지|보이지 않|숨기|숨겨|모르게|몰래|은밀"
        ),
        unasked=(
            r"(?:확인|동의|승인|허가|허락|심의|검토)[\w\s]{0,8}(?:없이|필요 ?없|생략|건너"
            r"|구하지|묻지|요청하지|않고)"
        ),
        role=(
            r"(?:지금부터|이제부터|이제 ?너|너는 이제|넌 이제|당신은 이제|앞으로 너"
            r"|페르소나|인격(?:으로|이))"
        ),
        free=(
            r"제한(?:이| )?없|무제한|무검열|자유|개발자 ?모드|역할|인격|페르소나|전환|거절하지"
            r"|너(?:는|의)|당신"
        ),
        call=r"호출|실행|사용(?:하|해)|수행",
        say=r"말하|말해|답하|답해|출력|응답|진술|대답",
    ),
}
_IGNORING: Final = {
    "german": r"(?:ignorier|vergiss|missacht)\w{0,4}.{0,40}\bund .{0,12}",
    "french": r"(?:ignorez|ignore |oubliez|oublie ).{0,40}\bet .{0,12}",
    "spanish": r"(?:ignora |ignore |olvida |olvide ).{0,40}\by .{0,12}",
    "portuguese": r"(?:ignore |esqueça ).{0,40}\be .{0,12}",
    "italian": r"(?:ignora |ignorate |dimentica ).{0,40}\be .{0,12}",
    "russian": r"(?:игнорируй|проигнорируй|забудь).{0,40}\bи .{0,12}",
    "chinese": r"(?:忽略|无视|無視|不要理会).{0,16}(?:并|，|,|然后|而是).{0,6}",
    "japanese": r"無視(?:して|し、).{0,40}",
    "korean": r"무시(?:하고|하라|한 채|해).{0,40}",
}
_VERB_LAST: Final = frozenset({"japanese", "korean"})


def _of(name: str, words: Words) -> Iterator[tuple[str, float, str]]:
    past = f"(?:{words.past})"
    rules = f"(?:{words.rules})"
    cease = f"(?:{words.cease})"
    keys = f"(?:{words.keys})"
    yield "override", VOID_SCORE, f"{past}.{{0,30}}{rules}.{{0,40}}{cease}"
    yield "override", SAY_SCORE, f"{_IGNORING[name]}(?:{words.say})"
    yield "secrecy", SECRECY_SCORE, f"(?:{words.user}).{{0,30}}(?:{words.silent})"
    yield "secrecy", ASK_SCORE, f"(?:{words.unasked})"
    yield "role", ROLE_SCORE, f"(?:{words.role}).{{0,40}}(?:{words.free})"
    if name in _VERB_LAST:
        yield (
            "address",
            READER_SCORE,
            f"(?:{words.reads}).{{0,12}}(?:{words.readers}).{{0,90}}(?:{words.must})",
        )
        yield "leak", SHOW_SCORE, f"{keys}.{{0,60}}(?:{words.show})"
        yield "exfiltration", SEND_SCORE, f"{keys}.{{0,80}}{_TARGET}.{{0,30}}(?:{words.send})"
        yield "errand", CALL_SCORE, f"(?:도구|함수|ツール|関数).{{0,30}}(?:{words.call})"
        return
    yield "override", VOID_SCORE, f"{cease}.{{0,20}}{past}.{{0,40}}{rules}"
    yield "override", VOID_SCORE, f"{cease}.{{0,20}}{rules}.{{0,40}}{past}"
    yield (
        "address",
        READER_SCORE,
        f"(?:{words.readers}).{{0,40}}(?:{words.reads}).{{0,60}}(?:{words.must})",
    )
    yield "leak", SHOW_SCORE, f"(?:{words.show}).{{0,50}}{keys}"
    yield "exfiltration", SEND_SCORE, f"(?:{words.send}).{{0,90}}{keys}.{{0,90}}{_TARGET}"
    yield "exfiltration", SEND_SCORE, f"{keys}.{{0,50}}(?:{words.send}).{{0,60}}{_TARGET}"
    yield "secrecy", SECRECY_SCORE, f"(?:{words.silent}).{{0,30}}(?:{words.user})"
    yield "errand", CALL_SCORE, f"(?:{words.call}).{{0,40}}{_TOOL}"


FOREIGN: Final = tuple(found for name, words in _WORDS.items() for found in _of(name, words))
"""Sign, score and expression, in small letters; `.{0,` begins the first gap."""
