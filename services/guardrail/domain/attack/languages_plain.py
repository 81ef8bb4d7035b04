"""Attacks in plain words in other languages: no instruction is named, yet the task, the answer or the role is replaced.

Each row says: dropping all that was told or asked, answering only with given words, being somebody from now on,
refusing nothing, showing what was said at the start, and saying it word for word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """One language's patterns; they are normalised like the text."""

    code: str
    told: str
    only: str
    persona: str
    complies: str
    given: str
    verbatim: str


_G = r"[^\n.!?]{0,40}?"

WORDINGS: tuple[Wording, ...] = (
    Wording(
        "es",
        rf"(?:olvid\w+|ignor\w+|deja de lado|descarta){_G}(?:todo lo que|lo que|cuanto) (?:te|se te|os|le) "
        r"(?:\w+ )?(?:pid\w+|dij\w+|ha\w* "
        r"(?:dicho|pedido)|orden\w+|mand\w+|ensen\w+)|(?:olvid\w+|abandona) (?:de )?(?:todas )?(?:tus?|las) "
        r"(?:tareas?|mision|funcion|anterior\w* tareas)",
        r"(?:respond\w+|contest\w+|escrib\w+|di|digas) (?:solo|solamente|unicamente|nada mas que)\b",
        r"(?:desde|a partir de) ahora,? (?:eres|seras|te llamas|actuas|actuaras|respondes como|vas a ser)\b",
        r"(?:responde\w* a todo|aunque sea ilegal|nunca (?:te niegues|digas que no|te niegas|rechaz\w+)|jamas "
        r"rechaz\w+|sin negarte|no (?:tiene|tienes) que (?:seguir|respetar|cumplir)[^\n.!?]{0,20}(?:reglas|"
        r"normas|limites))",
        rf"(?:lo que|todo lo que|instrucciones que|reglas que|palabras que) (?:te|se te|has|os) {_G}(?:antes de "
        r"este|al (?:principio|inicio|comienzo)|antes de mi)",
        r"(?:palabra por palabra|literalmente|textualmente|al pie de la letra)",
    ),
    Wording(
        "fr",
        r"(?:oubli\w+|ignor\w+|laisse\w* tomber|abandonn\w+) (?:tout ce|ce) (?:que l'on|qu'on|que je|qui) "
        rf"{_G}(?:dit|demand\w+|appris|ordonn\w+)|(?:oubli\w+|"
        r"abandonn\w+) (?:ta|votre|toute) (?:mission|tache|consigne|fonction)",
        r"(?:repond\w*|ecri\w+|dis|dites) (?:uniquement|seulement|juste|rien que|exclusivement)\b",
        r"(?:a partir de maintenant|desormais|dorenavant),? (?:tu es|tu seras|vous etes|tu t'appelles|tu agis|tu "
        r"reponds comme)\b",
        r"(?:repond\w* a tout|meme si c'est illegal|ne refuse\w* (?:jamais|rien)|sans jamais refuser|tu ne dis "
        r"jamais non|(?:aucune|pas de) regle|n'a (?:pas a|plus a) (?:respecter|suivre))",
        rf"(?:ce que|consignes|instructions|regles|mots|texte){_G}(?:as-tu|avez-vous|tu as|vous avez|t'a|t'ont|"
        rf"on t'a){_G}(?:recu\w*|donne\w*|dit|avant cette|au "
        r"(?:debut|depart))|tout ce qui (?:precede|est (?:ecrit )?(?:au-?dessus|ci-dessus)|vient avant)",
        r"(?:mot a mot|mot pour mot|textuellement|telles? quelles?|integralement)",
    ),
    Wording(
        "de",
        rf"(?:vergiss|vergesst|vergessen sie|ignorier\w*|lass\w*){_G}(?:alles|was)(?:,? was)? (?:du|man|ich|dir|"
        rf"bisher|davor|vorher|zuvor){_G}(?:gesagt|gemacht|getan|gelernt|"
        r"befohlen|aufgetragen|weisst|wurde|hast)|(?:vergiss|ignoriere|verwirf) (?:alle|deine|samtliche) (?:\w+ "
        r")?(?:aufgaben?|auftrage?|tatigkeiten)|(?:alte\w*|bisherige\w*|"
        r"vorherige\w*) (?:regeln|anweisungen|vorgaben) (?:sind|gelten) (?:gestrichen|nicht mehr|ungultig|"
        r"aufgehoben)|anweisungen beiseite",
        r"(?:antworte\w*|sag\w*|schreib\w*|gib) (?:mir )?(?:nur|ausschliesslich|lediglich|bloss|immer nur)\b",
        r"(?:ab jetzt|von nun an|ab sofort|von jetzt an) (?:bist du|heisst du|antwortest du als|spielst du|"
        r"verhaltst du dich)\b|(?:ich bin|hier spricht) (?:jetzt |nun )?dein "
        r"(?:chef|meister|besitzer|entwickler|administrator)",
        r"(?:lehn\w* (?:niemals|nie|nichts) ab|(?:niemals|nie) ab(?:lehn\w+)?|verweiger\w* (?:nie|nichts)|alles "
        r"darf|antwortet? auf alles|auch wenn es illegal|nicht an (?:die|ihre|seine|irgendwelche|"
        r"keine)[^\n.!?]{0,20}regeln (?:halten|gebunden)|von (?:den|allen)[^\n.!?]{0,30}(?:grenzen|"
        r"fesseln)[^\n.!?]{0,30}befreit)",
        r"(?:alles,? was|was|text,? der|worte,? die|anweisungen,? die)[^\n!?]{0,40}?(?:uber (?:dieser|meiner)|"
        r"vor (?:dieser|meiner|diesem)|oberhalb|am anfang|zu beginn|vorher|ganz "
        r"oben)",
        r"(?:wortwortlich|wort fur wort|wortlich|buchstablich|unverandert|im wortlaut|eins zu eins)",
    ),
    Wording(
        "it",
        rf"(?:dimentic\w+|ignor\w+|lascia perdere|tralascia){_G}(?:tutto quello che|tutto cio che|quello che|cio "
        r"che|quanto) (?:ti|vi) (?:\w+ )?(?:dett\w+|chiest\w+|ordin\w+)|"
        r"(?:lascia perdere|abbandona|scorda\w*) (?:tutte )?(?:le|i|il|la|i tuoi|le tue) (?:istruzioni|compit\w+|"
        r"ordini|regole)",
        r"(?:rispond\w+|scriv\w+|di'|dici) (?:solo|soltanto|solamente|unicamente)\b",
        r"(?:da ora in poi|d'ora in poi|da adesso|da questo momento),? (?:sei|sarai|ti chiami|agisci|rispondi "
        r"come)\b",
        r"(?:rispond\w+ a tutto|anche se e illegale|non (?:rifiut\w+|ti rifiut\w+) mai|senza mai rifiutare)",
        rf"(?:istruzioni|parole|regole|cosa|quello che|cio che){_G}(?:ti hanno|hai|ti e stato|vi hanno) "
        rf"{_G}(?:all'inizio|prima di (?:questo|me)|prima di questa)",
        r"(?:parola per parola|testualmente|alla lettera|letteralmente)",
    ),
    Wording(
        "pt",
        rf"(?:esquec\w+|ignor\w+|deixe de lado){_G}(?:tudo o que|o que|tudo que) (?:te |lhe |voce )?(?:mand\w+|"
        r"diss\w+|ped\w+|foi|falaram|aprendeu)|(?:esqueca|abandone) "
        r"(?:todas )?(?:a sua|sua|as suas|suas|tua) (?:tarefas?|missao|funcao)",
        r"(?:respond\w+|escrev\w+|diga) (?:so|somente|apenas|unicamente)\b",
        r"(?:a partir de agora|de agora em diante|agora),? (?:voce |tu )?(?:e|es|sera|se chama|vai ser|age como) "
        r"|voce agora e\b",
        r"(?:respond\w+ (?:a )?tudo|mesmo que seja ilegal|nunca (?:se )?recus\w+|nao segue regras|jamais recus\w+)",
        rf"(?:regras|instruc\w+|palavras|o que|tudo o que){_G}(?:recebeu|te deram|lhe deram|te disseram|foi dito|"
        rf"ouviu|leu){_G}(?:no inicio|no comeco|antes desta|antes de)",
        r"(?:palavra por palavra|literalmente|ao pe da letra|na integra)",
    ),
    Wording(
        "nl",
        rf"(?:vergeet|negeer){_G}(?:alles|wat){_G}(?:hiervoor|gezegd|verteld|geleerd|gevraagd|opgedragen)",
        r"(?:antwoord|zeg|schrijf) (?:alleen|enkel|slechts|uitsluitend)\b",
        r"(?:vanaf nu|van nu af aan) (?:ben je|heet je|antwoord je als|speel je)\b",
        r"(?:weiger\w* (?:nooit|niets)|ook als het illegaal|beantwoord\w* alles)",
        rf"(?:alles|wat|woorden|instructies){_G}(?:voor dit bericht|boven deze|aan het begin|kreeg)",
        r"(?:woord voor woord|letterlijk|woordelijk)",
    ),
    Wording(
        "pl",
        rf"(?:zapomnij|zignoruj|ignoruj){_G}(?:o )?(?:wszystk\w+|tym),? (?:co|czego){_G}(?:mowi\w+|powiedz\w+|"
        r"kazan\w+|prosi\w+)",
        r"(?:odpowiadaj|odpowiedz|napisz|powiedz|pisz) (?:tylko|wylacznie|jedynie)\b",
        r"(?:od teraz|od tej chwili) (?:jestes|nazywasz sie|bedziesz|odpowiadasz jako)\b",
        r"(?:nigdy nie odmaw\w+|nawet jesli (?:to )?nielegaln\w+|odpowiada\w* na wszystko)",
        rf"(?:instrukcj\w+|polecen\w+|zasad\w*|slow\w*|co|tekst){_G}(?:dostal\w+|otrzymal\w+|powiedziano|przed "
        rf"(?:ta|tym|moj\w+)){_G}",
        r"(?:slowo w slowo|doslownie|co do slowa)",
    ),
    Wording(
        "ru",
        r"(?:забудь\w*|игнорируй\w*|отбрось\w*) (?:про |о )?(?:вс[её]|то|об? вс[её]м),? (?:что|о "
        rf"ч[её]м){_G}(?:говори\w+|сказа\w+|просил\w*|учил\w*|было)",
        r"(?:отвечай|ответь|пиши|напиши|говори|скажи) (?:только|лишь|исключительно)\b|отвечай только",
        r"(?:с этого момента|отныне|теперь) (?:ты|вы)\b",
        r"(?:никогда не отказыва\w+|не отказыва\w+ ни|даже если (?:это )?незаконн\w+|отвечает на (?:вс[её]|любые))",
        rf"(?:вс[её]|то|инструкции|слова|текст|правила),? (?:что|которые|который) {_G}(?:до этого (?:сообщения|"
        r"момента)|перед этим|в начале|до меня)",
        r"(?:дословно|слово в слово|буквально|без изменений)",
    ),
    Wording(
        "uk",
        rf"(?:забудь\w*|ігноруй\w*) (?:про )?(?:все|те),? що{_G}(?:казали|сказа\w+|говорили|просили)",
        r"(?:відповідай|відповідь|напиши|пиши|скажи) (?:тільки|лише|виключно)\b",
        r"(?:відтепер|з цього моменту) ти\b",
        r"(?:ніколи не відмовля\w+|навіть якщо (?:це )?незаконн\w+)",
        rf"(?:все|інструкції|слова|текст),? (?:що|які|який) {_G}(?:до цього повідомлення|перед цим|на початку)",
        r"(?:дослівно|слово в слово)",
    ),
    Wording(
        "cs",
        rf"(?:zapome\w+|ignoruj\w*){_G}(?:vse|vsechno),? co{_G}(?:rekl\w*|rik\w+|chtel\w*)",
        r"(?:odpovidej|odpovez|napis|rekni) (?:jen|pouze|jenom|vyhradne)\b",
        r"(?:od ted|od teto chvile) jsi\b",
        r"(?:nikdy neodmit\w+|i kdyz je to nezakonne)",
        rf"(?:vse|vsechno|pokyny|slova),? (?:co|ktere) {_G}(?:pred touto|na zacatku|dostal\w*)",
        r"(?:slovo od slova|doslova|doslovne)",
    ),
    Wording(
        "sv",
        rf"(?:glom|ignorera) (?:allt|det)(?: som)? {_G}(?:fatt veta|sagt|sagts|lart|hort|bett|tidigare)",
        r"(?:svara|skriv|sag) (?:bara|endast|enbart)\b",
        r"(?:fran och med nu|hadanefter) (?:ar du|heter du|svarar du som)\b",
        r"(?:vagra\w* aldrig|aven om det ar olagligt|svara\w* pa allt)",
        rf"(?:allt|orden|instruktionerna|det) (?:som )?{_G}(?:fore det har|i borjan|ovanfor den har)",
        r"(?:ord for ord|ordagrant)",
    ),
    Wording(
        "tr",
        r"(?:onceki|daha once|simdiye kadar|sana)[^\n.!?]{0,30}?(?:soylenen|verilen|ogretilen|"
        r"istenen)[^\n.!?]{0,30}?(?:unut\w*|yok say\w*|gormezden)",
        r"(?:sadece|yalnizca)[^\n.!?]{0,30}?(?:yaz|cevap ver|de|soyle|yanitla)\b",
        r"(?:bundan sonra|su andan itibaren|artik) (?:sen|senin adin|bir)\b",
        r"(?:asla reddetme\w*|yasa ?disi olsa bile|her seye cevap)",
        r"(?:ilk|baslangicta|sana verilen|bu mesajdan once\w*)[^\n.!?]{0,30}?(?:talimat\w*|yazilan\w*|"
        r"soylenen\w*|her sey\w*)",
        r"(?:kelimesi kelimesine|harfi harfine|aynen|oldugu gibi)",
    ),
    Wording(
        "ar",
        r"(?:تجاهل|انس|انسى) (?:كل )?(?:ما|كل شيء)[^\n.!?]{0,30}?(?:قيل|طلب|أخبر|قلت|سابقا|تعلمت)",
        r"(?:أجب|اجب|اكتب|قل)[^\n.!?]{0,10}?(?:فقط|لا غير)",
        r"(?:من الآن فصاعدا|من الان|ابتداء من الآن)[^\n.!?]{0,10}?(?:أنت|انت|ستكون|اسمك)",
        r"(?:لا ترفض|ولا يرفض|حتى لو كان غير قانوني|تجيب على كل)",
        r"(?:كل ما|كل شيء|ما)[^\n.!?]{0,30}?(?:قبل هذه|قبل هذا|في بداية|أعلاه هذه)",
        r"(?:حرفيا|حرفياً|كلمة بكلمة|كما هو|كما هي|نصا)",
    ),
    Wording(
        "hi",
        r"(?:पहले|अब तक)[^\n.!?]{0,60}?(?:कहा|बताया|दिए)[^\n.!?]{0,40}?(?:भूल|अनदेखा)",
        r"(?:सिर्फ|केवल|बस)[^\n.!?]{0,40}?(?:लिख|कह|जवाब|उत्तर|बोल)",
        r"(?:अब से|आज से) (?:तुम|आप)",
        r"(?:कभी मना मत|कभी इनकार|गैरकानूनी हो तब भी)",
        r"(?:इस संदेश से पहले|शुरुआत में|सबसे पहले)[^\n.!?]{0,60}?(?:लिख|दिए|कहा|निर्देश|सब)",
        r"(?:शब्द दर शब्द|शब्दशः|हूबहू|ज्यों का त्यों)",
    ),
    Wording(
        "zh",
        r"(?:忘记|忘掉|忘了|忽略|不要管|别管|不用管|无视|抛开)[^\n。！？]{0,18}?(?:之前|以前|"
        r"先前|前面|上面)[^\n。！？]{0,12}?(?:所有|一切|全部|要求|说过|告诉|"
        r"任务|内容|的话|指令)|(?:忘记|忘掉|忘了|忽略|无视)"
        r"[^\n。！？]{0,6}?(?:所有|一切|全部)[^\n。！？]{0,12}?(?:要求|说过|告诉|任务|内容)",
        r"(?:只|仅|僅)(?:需|要|能|可以|准|許)?(?:回答|回复|回覆|输出|說|说|写)[^\n。！？]{0,4}?[\"'「『“]",
        r"(?:从现在起|从现在开始|從現在起|現在起|从此刻起)[^\n。！？]{0,6}?(?:你是|你叫|你的名字|你将|扮演)",
        r"(?:绝不拒绝|从不拒绝|不会拒绝|不得拒绝|即使违法|即使是违法|有问必答|任何请求)",
        r"(?:这句话|這句話|此消息|这条消息|本消息|这一行|我的第一)[^\n。！？]{0,4}?(?:之前|以前|"
        r"以上|前面)[^\n。！？]{0,8}?(?:所有|全部|内容|文字|一切)|(?:一开始|"
        r"最开始|对话开始)[^\n。！？]{0,12}?(?:收到|给你|告诉你)",
        r"(?:逐字|原封不动|一字不差|一字不漏|原样|照原文)",
    ),
    Wording(
        "ja",
        r"(?:これまで|今まで|以前|前)[^\n。！？]{0,10}?(?:指示|命令|言われた|話|"
        r"会話|内容)[^\n。！？]{0,12}?(?:忘れ|無視|破棄|なかったこと)",
        r"[」』\"'][^\n。！？]{0,3}?(?:とだけ|だけを?|のみ)[^\n。！？]{0,4}?(?:答え|言っ|出力|返|書)",
        r"(?:これから|今から|今後)(?:は)?[、,]?(?:あなたは|君は|お前は)[^\n。！？]{0,20}?(?:です|だ|になり|として)",
        r"(?:決して断ら|絶対に断ら|拒否しない|拒否せず|違法でも|何でも答え)",
        r"(?:このメッセージ|この文|この行|この発言|私の最初の)[^\n。！？]{0,4}?(?:より前|より上|の前|"
        r"以前)|(?:会話の最初|冒頭)[^\n。！？]{0,12}?(?:書か|言わ|与え|指示)",
        r"(?:そのまま|一字一句|全文を|原文のまま|文字通り)",
    ),
    Wording(
        "ko",
        r"(?:지금까지|이전|앞)[^\n.!?]{0,10}?(?:지시|명령|말|내용|대화)[^\n.!?]{0,12}?(?:무시|잊)",
        r"(?:라고만|이라고만|만)[^\n.!?]{0,4}?(?:대답|답해|말해|출력|써)",
        r"(?:이제부터|지금부터)[^\n.!?]{0,4}?(?:너는|당신은|넌)",
        r"(?:절대 거절하지|거부하지 (?:마|않)|불법이라도|무엇이든 대답)",
        r"(?:이 메시지|이 문장|이 줄|내 첫)[^\n.!?]{0,4}?(?:이전|앞|위)|"
        r"(?:대화 (?:시작|처음))[^\n.!?]{0,12}?(?:받은|들은|지시)",
        r"(?:그대로|한 글자도|토씨 하나|글자 그대로)",
    ),
    Wording(
        "vi",
        rf"(?:quen|bo qua){_G}(?:tat ca|het|moi){_G}(?:duoc (?:noi|bao|yeu cau)|da noi|truoc day|truoc do)",
        r"(?:chi|duy nhat) (?:tra loi|noi|viet|in ra)\b",
        r"(?:tu bay gio|ke tu bay gio|tu gio),? ban (?:la|se|ten)\b",
        r"(?:khong bao gio tu choi|ke ca (?:khi )?bat hop phap|tra loi (?:moi|tat ca))",
        rf"(?:tat ca|moi|nhung) {_G}(?:truoc tin nhan nay|truoc cau nay|luc dau|ban dau duoc)",
        r"(?:tung chu|nguyen van|y nguyen)",
    ),
    Wording(
        "id",
        rf"(?:lupakan|abaikan) (?:semua|segala) {_G}(?:yang (?:tadi|sudah|dikatakan|diberikan)|tadi|dikatakan|"
        r"disuruh)",
        r"(?:jawab|tulis|katakan|balas) (?:hanya|cuma|saja)\b",
        r"(?:mulai sekarang|sejak sekarang),? (?:kamu|anda)(?: adalah| bernama)?\b",
        r"(?:tidak pernah menolak|jangan pernah menolak|walaupun ilegal|menjawab semua)",
        rf"(?:semua|segala|kata|instruksi) {_G}(?:sebelum pesan ini|di awal|sebelum kalimat ini)",
        r"(?:kata demi kata|persis|apa adanya|kata per kata)",
    ),
)

_KINDS = (
    ("told_is_dropped", "hijack", 0.6, "told"),
    ("only_these_words", "hijack", 0.22, "only"),
    ("answers_as", "jailbreak", 0.26, "persona"),
    ("complies_with_all", "jailbreak", 0.45, "complies"),
    ("given_before", "extraction", 0.42, "given"),
    ("verbatim", "extraction", 0.28, "verbatim"),
)


def plain_intents() -> Iterator[tuple[str, str, float, str]]:
    """(name, family, weight, pattern) of every language's wordings."""
    for row in WORDINGS:
        for name, family, weight, field in _KINDS:
            yield f"{name}_{row.code}", family, weight, getattr(row, field)
