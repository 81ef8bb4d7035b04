"""More intents in other languages: rules lifted or swapped, what stands before the message, the secret that is kept.

Each row says: not following what was said or that old rules are void; asking for the text before this one or for
the rules one was given; asking for a guarded secret; playing somebody without limits. Patterns are normalised like
the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from services.guardrail.domain.attack.languages_plain import widened


@dataclass(frozen=True, slots=True)
class Guarded:
    """One language's patterns."""

    code: str
    lifted: str
    before: str
    secret: str
    unbound: str


ROWS: tuple[Guarded, ...] = (
    Guarded(
        "es",
        r"olvida que eres|olvida (?:los|el|la|las) (?:documentos?|textos?|articulos?|contexto)|nueva tarea ?[:!.]|"
        r"(?:deja|dejad) de (?:ser|actuar|seguir)[^\n.!?]{0,40}? y |no sigas (?:las|tus|mas|"
        r"ning\w+)[^\n.!?]{0,20}?(?:indicaciones|instrucciones|reglas)|(?:tus|las) (?:reglas|"
        r"normas|instrucciones) (?:anteriores |previas |viejas )?(?:ya no|quedan|han sido)[^\n.!?]{0,20}?(?:valen|"
        r"aplican|anuladas|cuentan|canceladas)|(?:haz|obedece) (?:exactamente |solo )?lo que (?:yo )?te (?:pid|dig|"
        r"mand|"
        r"orden)\w+",
        r"(?:texto|mensaje|frase|parrafo|todo|lineas?)[^\n.!?]{0,24}? (?:antes (?:del mio|de este|de mi)|que precede|"
        r"anterior a (?:este|mi))|(?:instrucciones|reglas|normas|ordenes) (?:que )?(?:te|le) (?:dieron|dio|dado|"
        r"asignaron)|configuracion inicial",
        r"(?:contrasena|palabra secreta|clave|codigo secreto|palabra clave)[^\n.!?]{0,20}?(?:que (?:guardas|escondes|"
        r"proteges|no (?:debes|puedes))|secreta|oculta)|(?:dime|revela|cual es|deletrea)[^\n.!?]{0,12}? (?:la|el|tu) "
        r"(?:contrasena|palabra secreta|codigo secreto)",
        r"(?:actua|responde|comportate|eres|finge)[^\n.!?]{0,40}?(?:sin (?:moral|etica|censura|filtros|ninguna)|jamas "
        r"rechaza|nunca (?:rechaza|se niega)|que no rechaza)",
    ),
    Guarded(
        "fr",
        r"oublie que tu es|(?:oublie|ignore) (?:le|les) (?:textes?|documents?|articles?|contexte)(?: "
        r"ci-dessus)?[^\n.!?]{0,12}? et |nouvelle tache ?[:!.]|"
        r"(?:arrete|cesse) (?:de |d')(?:suivre|etre|jouer|faire)[^\n.!?]{0,40}? et |(?:anciennes|precedentes|tes|"
        r"vos) (?:regles|consignes|instructions)[^\n.!?]{0,24}?(?:ne (?:valent|comptent|"
        r"s'appliquent)|sont (?:annulees|levees|caduques|nulles))|n'obeis (?:plus )?qu'a moi|tu (?:m'obeis|suis les "
        r"miennes)|ne tiens pas compte|laisse tomber (?:ta|ton|tes) (?:mission|role|consignes|tache)",
        r"(?:texte|message|tout|phrases?|lignes?|ce qui)[^\n.!?]{0,24}? (?:avant (?:ce|mon)|qui precede|precedant|"
        r"au-dessus de)|(?:regles|consignes|instructions)[^\n.!?]{0,10}? (?:t'a-t-on|t'ont ete|t'a|qu'on t'a) "
        r"donnees?|"
        r"prompt initial",
        r"(?:mot de passe|mot secret|code secret)[^\n.!?]{0,24}?(?:que tu (?:gardes|caches|proteges|ne dois)|\?|"
        r"a l'envers|lettre par lettre)|(?:donne|dis|revele|quel est|epelle)[^\n.!?]{0,12}? (?:le|ton) (?:mot de "
        r"passe|"
        r"mot secret|code secret)",
        r"(?:reponds|comporte-toi|agis|fais comme|joue|tu es)[^\n.!?]{0,50}?(?:sans (?:filtre|aucune censure|morale|"
        r"ethique|limites|avertissement)|qui repond a tout|ne refuse (?:jamais|rien))",
    ),
    Guarded(
        "de",
        r"vergiss,? dass du|beacht\w* [^\n.!?]{0,40}? nicht|vergiss (?:die|den|das) (?:dokumente?|texte?|artikel|"
        r"kontext)|neue aufgabe ?[:!.]|"
        r"(?:fruher\w+|bisherig\w+|obig\w+) (?:vorgaben|regeln|anweisungen)[^\n.!?]{0,8}?(?:sind|ist) (?:egal|"
        r"vergessen)|hor auf,? [^\n.!?]{0,40}? zu (?:sein|spielen)|(?:bisherig\w+|vorherig\w+|alt\w+|deine) "
        r"(?:vorgaben|regeln|anweisungen)[^\n.!?]{0,24}?(?:aufgehoben|"
        r"ungultig|"
        r"nichtig|gelten nicht|ausser kraft|hinfallig)|ab (?:sofort|jetzt) (?:gilt|gelten|zahlt) nur|(?:missacht|"
        r"ignorier)\w* (?:die )?obig\w+|hor auf zu (?:ubersetzen|ubersetz|antworten|zusammenfass|helfen)\w*",
        r"(?:text|nachricht|satze?|alles|zeilen?)[^\n.!?]{0,24}? (?:oberhalb|vor dieser|vor meiner|uber dieser|davor)|"
        r"(?:anweisungen|regeln|vorgaben)[^\n.!?]{0,12}? (?:hast du|hat man dir|wurden dir)[^\n.!?]{0,24}?(?:erhalten|"
        r"gegeben|bekommen)",
        r"(?:passwort|geheimwort|codewort|geheime\w* (?:wort|code))[^\n.!?]{0,24}?(?:das du|nicht verraten|huten|"
        r"hutest|"
        r"ruckwarts|buchstabe)|(?:verrat\w*|nenn\w*|sag\w*|wie lautet|buchstabier\w*)[^\n.!?]{0,12}? (?:das|dein) "
        r"(?:passwort|geheimwort|codewort)",
        r"(?:antworte|spiele?|verhalte dich|du bist|sei)[^\n.!?]{0,50}?(?:ohne (?:filter|moral|regeln|jegliche|"
        r"warnhinweise|zensur)|die alles darf|an nichts halt|lehnt (?:nie|niemals|nichts) ab)",
    ),
    Guarded(
        "it",
        r"dimentica (?:che sei|di essere)|dimentica (?:i|il|gli|l\') ?(?:documenti|testo|testi|articoli|contesto)|"
        r"nuovo compito ?[:!.]|"
        r"(?:smetti|smettila) di (?:fare|essere|seguire)[^\n.!?]{0,40}? e |non seguire (?:piu )?(?:le|"
        r"alcuna)[^\n.!?]{0,20}?(?:indicazioni|istruzioni|regole)|(?:regole|"
        r"istruzioni)[^\n.!?]{0,20}?"
        r"(?:non valgono piu|sono annullate|sono nulle)|da (?:adesso|ora) comando io|tralascia il testo|rispondi "
        r"(?:solo )?a "
        r"quello che dico io",
        r"(?:testo|messaggio|tutto|frasi?|righe)[^\n.!?]{0,24}? (?:che precede|prima di questo|prima del mio|sopra "
        r"questo)|(?:istruzioni|regole)[^\n.!?]{0,10}? (?:ti hanno|che ti hanno|ricevute|hai ricevuto)",
        r"(?:password|parola segreta|codice segreto|parola d'ordine)[^\n.!?]{0,24}?(?:che (?:custodisci|nascondi|non "
        r"(?:devi|puoi))|al contrario|lettera per lettera)|(?:dimmi|rivela|qual e)[^\n.!?]{0,12}? la (?:password|"
        r"parola "
        r"segreta|parola d'ordine)",
        r"(?:comportati|rispondi|sei|agisci|fingi)[^\n.!?]{0,50}?(?:senza (?:filtri|morale|etica|limiti|avvertimenti)|"
        r"domande illegali|non rifiuta mai|ignora l'etica)",
    ),
    Guarded(
        "pt",
        r"esqueca que (?:voce )?e|esqueca (?:os|o) (?:documentos?|textos?|artigos?|contexto)|nova tarefa ?[:!.]|"
        r"(?:pare|deixe) de ser[^\n.!?]{0,40}? e |nao responda mais como|so obedece a mim|obedece so a mim|(?:pare|"
        r"deixe) de seguir (?:as|suas)[^\n.!?]{0,12}?(?:regras|instrucoes)|(?:regras|instrucoes|"
        r"ordens)[^\n.!?]{0,20}?"
        r"(?:nao valem mais|foram (?:anuladas|canceladas))|desconsidere tudo|faca (?:so |apenas )?o que eu (?:mandar|"
        r"disser|pedir)",
        r"(?:texto|mensagem|tudo|frases?|linhas?)[^\n.!?]{0,24}? (?:antes (?:desta|da minha|de mim)|que precede|acima "
        r"desta)|(?:instrucoes|regras|ordens)[^\n.!?]{0,24}? (?:te deu|te deram|lhe deram|voce recebeu|que recebeu)",
        r"(?:senha|palavra secreta|codigo secreto|palavra-passe)[^\n.!?]{0,24}?(?:que voce (?:guarda|esconde|protege|"
        r"nao)|"
        r"ao contrario|letra por letra)|(?:diga|revele|qual e|me fala)[^\n.!?]{0,12}? a (?:senha secreta|palavra "
        r"secreta|"
        r"palavra-passe|sua senha)",
        r"(?:aja|responda|finja|comporte-se|seja)[^\n.!?]{0,50}?(?:sem (?:filtros?|limites|restricoes|moral|etica|"
        r"censura)|"
        r"nunca recusa|que nao recusa)",
    ),
    Guarded(
        "ru",
        r"забудь,? что ты|забудь (?:про )?(?:документы|тексты|статьи|контекст)|новое задание ?[:!.]|"
        r"перестань (?:быть|играть|следовать)[^\n.!?]{0,40}? и |(?:прежние|предыдущие|старые|твои) (?:\w+ "
        r")?(?:правила|инструкции|указания)[^\n.!?]{0,20}?(?:отменены|"
        r"недействительны|не действуют|больше не)|не обращай внимания на|(?:выполняй|слушай|слушайся) только (?:мои|"
        r"меня)|теперь действуют мои",
        r"(?:текст|сообщение|вс[её]|слова|строки)[^\n.!?]{0,24}? (?:до этого|перед этим|перед моим|до моего|выше "
        r"этого)|"
        r"какие (?:правила|инструкции|указания)[^\n.!?]{0,24}?(?:задали|дали|получил)|начальны\w+ инструкци\w+",
        r"(?:пароль|секретное слово|кодовое слово)[^\n.!?]{0,24}?(?:ты хранишь|ты скрываешь|который ты|которое ты|"
        r"наоборот|по буквам)|(?:скажи|назови|раскрой|выдай|какой)[^\n.!?]{0,12}? (?:секретн\w+ )(?:пароль|слово|код)",
        r"злой (?:ии|бот|искусственный)|(?:отвечай|притворись|веди себя|ты теперь|представь|"
        r"сыграй)[^\n.!?]{0,40}?(?:без (?:цензуры|фильтров|"
        r"моральных|"
        r"ограничений|правил)|разрешено вс[её]|злой бот|никогда не отказыва\w+)",
    ),
    Guarded(
        "zh",
        r"忘(?:记|掉|了)你是|忘(?:记|掉|了)(?:这些|上面的)?(?:文档|文章|资料)|新任务[::!]|"
        r"(?:忘记|忘掉|放弃)你的(?:角色|身份|设定|任务)|(?:不要|别|停止)(?:再)?(?:翻译|總結|总结|回答|執行|执行)[^\n。!?]{0,12}?(?:直接|而是|改为|改成)|只(?:听|聽|"
        r"服从|服從|"
        r"执行)我的|(?:之前|以前|原来)的(?:规则|指令|要求|设定)(?:已经)?(?:全部)?(?:作废|无效|失效|取消)",
        r"(?:重复|复述|输出|写出|打印)[^\n。!?]{0,8}?以上(?:的)?(?:所有|全部)?(?:文字|内容|文本|信息)|(?:这条|本|我的)消息(?:之前|以前)的|"
        r"(?:初始|最初|原始)(?:的)?(?:设定|设置|指令|提示)",
        r"(?:保守|守护|隐藏|保护)的(?:密码|秘密|口令|暗号)|(?:说出|告诉我|透露|写出)[^\n。!?]{0,6}?(?:密码|口令|暗号|秘密词)",
        r"你(?:现在)?是dan|可以做任何事|(?:扮演|作为|成为|你是|假装)[^\n。!?]{0,14}?(?:无视(?:法律|道德)|没有(?:道德|底线|限制)|什么都可以|不会拒绝|从不拒绝)",
    ),
    Guarded(
        "ja",
        r"であることを(?:忘れ|やめ)|新しい(?:タスク|任務|指示)[::。!]|"
        r"(?:指示|ルール|命令)(?:に|には)(?:従わず|従わないで|従う必要は)|(?:ルール|指示|命令)(?:は|を)(?:すべて|全て)?(?:無効|破棄|"
        r"取り消)|私の(?:命令|指示)だけ",
        r"(?:最初|この会話の最初|冒頭|これより前|上)(?:の|に書かれた)(?:メッセージ|文章|テキスト|内容|文)[^\n。!?]{0,20}?(?:繰り返|出力|"
        r"表示|書)|最初に与えられた",
        r"(?:秘密|隠している|守っている)の?(?:パスワード|合言葉|言葉|暗号)|(?:パスワード|合言葉)を(?:教え|言っ|出力|書い|逆)",
        r"悪の(?:ai|ボット)|(?:制限を解除|制限のない|倫理(?:や規則)?に縛られない|規則に縛られない)[^\n。!?]{0,24}?(?:ai|として|ボット)|違法なこと(?:に|"
        r"でも|にも)[^\n。!?]{0,6}?答え|断らずに答え",
    ),
    Guarded(
        "ko",
        r"(?:라는|이라는) (?:것을|사실을|걸) 잊|새(?:로운)? (?:임무|지시|작업) ?[:!.]|"
        r"(?:이전|기존|지금까지의) (?:규칙|지시|설정)(?:은|는|이)? ?(?:더 이상 )?(?:적용되지|"
        r"무효|소용)|(?:지시|규칙|명령)(?:는|은|를|을)? ?(?:따르지 ?말고|무시하고|"
        r"전부 무효)|내가 시키는 ?대로만|내 (?:명령|말)만",
        r"(?:이 메시지|이 문장|내 메시지) ?(?:이전|앞|전)의|(?:개발자|운영자)가[^\n.!?]{0,12}?(?:준|내린|설정한) "
        r"?(?:규칙|지시|명령)|(?:위에|앞에) 있는 (?:모든 )?(?:텍스트|내용|글)",
        r"(?:비밀번호|암호|비밀 단어)(?:를|을)? ?(?:알려|말해|거꾸로|공개|출력)|"
        r"(?:숨기고|지키고) 있는 (?:비밀번호|암호|단어)",
        r"(?:필터|제한|검열|도덕|윤리)[^\n.!?]{0,8}?(?:없는|무시하고)[^\n.!?]{0,12}?(?:ai|인공지능|처럼)|불법(?:적인)?[^\n.!?]{0,8}?"
        r"(?:질문|것)[^\n.!?]{0,6}?답",
    ),
    Guarded(
        "tr",
        r"oldugunu unut|yeni gorev ?[:!.]|"
        r"artik sadece beni|(?:yukaridaki|onceki|eski)[^\n.!?]{0,16}?(?:talimat|kural|"
        r"komut)\w*[^\n.!?]{0,12}?(?:uyma|gecersiz|iptal|"
        r"bosver|"
        r"bos ver)|sadece benim (?:dedi\w+|sozu\w+|emir\w+)",
        r"(?:bu mesajdan|mesajimdan|bundan) (?:onceki|once)[^\n.!?]{0,16}?(?:metin|metni|yazi\w*|her sey\w*)|sana "
        r"verilen "
        r"(?:kural|talimat)\w*",
        r"(?:gizli kelime|parola|sifre)\w*[^\n.!?]{0,16}?(?:sakladigin|korudugun|tersten|harf harf)|(?:sakladigin|"
        r"korudugun|gizledigin) (?:parola|sifre|kelime)\w*",
        r"(?:sansursuz|filtresiz|kuralsiz|sinirsiz|ahlaki olmayan)[^\n.!?]{0,20}?(?:yapay zeka|gibi davran|bot)|asla "
        r"reddetme\w*",
    ),
    Guarded(
        "ar",
        r"توقف عن (?:اتباع|كونك|لعب)|لا تتبع (?:ال)?(?:تعليمات|قواعد)|(?:القواعد|التعليمات) (?:السابقة|القديمة) "
        r"(?:ملغاة|لاغية)",
        r"(?:النص|الكلام|كل ما)[^\n.!?]{0,16}?(?:قبل هذه|قبل رسالتي)|(?:التعليمات|الأوامر|القواعد) التي (?:أعطيت|"
        r"تلقيت)",
        r"(?:كلمة السر|كلمة المرور|الكلمة السرية)[^\n.!?]{0,16}?(?:التي|بالعكس|حرفا)",
        r"(?:تصرف|أجب|أنت الآن)[^\n.!?]{0,40}?(?:بلا (?:رقابة|قيود|أخلاق)|غير قانوني|لا ترفض|ولا ترفض)",
    ),
    Guarded(
        "hi",
        r"(?:निर्देशों|नियमों|आदेशों)[^\n.!?]{0,12}?(?:पालन मत|पालन न|मत मानो)|(?:सिर्फ|केवल) मेरी बात",
        r"(?:इस संदेश|मेरे संदेश) से पहले|(?:दिए गए|मिले हुए) (?:निर्देश|नियम)",
        r"(?:गुप्त|छिपा|छुपा)[^\n.!?]{0,6}?(?:पासवर्ड|शब्द)|पासवर्ड (?:बताओ|बता दो|उल्टा)",
        r"(?:बिना|कोई)[^\n.!?]{0,16}?(?:सेंसर|नैतिक|प्रतिबंध)[^\n.!?]{0,16}?(?:एआई|ai)",
    ),
    Guarded(
        "pl",
        r"zapomnij,? ze jestes|nowe zadanie ?[:!.]|"
        r"przestan byc[^\n.!?]{0,40}? i |(?:dotychczasowe|poprzednie|twoje|stare) (?:zasady|reguly|"
        r"polecenia)[^\n.!?]{0,16}?(?:nie obowiazuja|"
        r"niewazne|uchylone)|nie przestrzegaj|odpowiadaj tylko to, co ci",
        r"(?:tekst|wiadomosc|wszystko)[^\n.!?]{0,16}? (?:sprzed|przed) (?:ta|tej|moja|mojej)|poczatkowe (?:instrukcje|"
        r"polecenia)",
        r"(?:haslo|tajne slowo)[^\n.!?]{0,16}?(?:ktorego|ktore (?:ukrywasz|znasz)|od tylu|wspak)|zdradz (?:mi "
        r")?(?:tajne )?haslo",
        r"(?:zachowuj sie|jestes|odpowiadaj|udawaj)[^\n.!?]{0,40}?bez (?:filtrow|cenzury|zasad|ograniczen|"
        r"moralnosci)|nigdy nie "
        r"odmawia\w*",
    ),
    Guarded(
        "nl",
        r"vergeet dat je|nieuwe (?:opdracht|taak) ?[:!.]|"
        r"(?:stop|hou op) met (?:vertalen|samenvatten|antwoorden|helpen)[^\n.!?]{0,16}? en |volg (?:de|"
        r"je)[^\n.!?]{0,20}?(?:niet|niet meer)|(?:regels|instructies)[^\n.!?]{0,12}?(?:gelden niet|"
        r"vervallen|"
        r"zijn ongeldig)|luister (?:alleen|enkel) naar mij",
        r"(?:tekst|bericht|alles)[^\n.!?]{0,16}? (?:voor dit|voor mijn|boven dit|hiervoor)|(?:regels|instructies) "
        r"(?:die )?je "
        r"(?:hebt|kreeg)",
        r"(?:wachtwoord|geheime woord)[^\n.!?]{0,16}?(?:dat je|achterstevoren|letter voor)|verklap (?:het|je) "
        r"(?:wachtwoord|"
        r"geheim)",
        r"(?:doe alsof|antwoord|je bent|gedraag je)[^\n.!?]{0,40}?zonder (?:filters?|ethische|moraal|regels|grenzen|"
        r"censuur)",
    ),
    Guarded(
        "sv",
        r"sluta vara[^\n.!?]{0,40}? och |folj inte (?:reglerna|instruktionerna|anvisningarna)|(?:reglerna|"
        r"instruktionerna)[^\n.!?]{0,12}?(?:galler "
        r"inte|"
        r"ar upphavda)|gor precis som jag sager",
        r"(?:texten|meddelandet|allt)[^\n.!?]{0,16}? (?:fore detta|fore mitt|ovanfor)|(?:reglerna|instruktionerna) "
        r"du fick",
        r"(?:losenordet|hemliga ordet)[^\n.!?]{0,16}?(?:som du|baklanges|bokstav)|avsloja losenordet",
        r"(?:latsas|svara|du ar|agera)[^\n.!?]{0,40}?utan (?:sparrar|filter|moral|censur|granser|regler)",
    ),
    Guarded(
        "vi",
        r"dung (?:lam|tuan) theo|(?:quy tac|huong dan|chi dan) (?:cu|truoc do) (?:khong con|da bi)|chi (?:nghe|lam) "
        r"theo (?:loi )?toi",
        r"(?:van ban|noi dung|tin nhan)[^\n.!?]{0,16}?truoc tin nhan (?:nay|cua toi)|huong dan ma ban (?:da )?nhan",
        r"(?:mat khau|tu bi mat)[^\n.!?]{0,16}?(?:ban (?:giu|giau)|nguoc|tung chu)|tiet lo mat khau",
        r"(?:dong vai|ban la|hanh dong)[^\n.!?]{0,30}?khong (?:co )?(?:gioi han|dao duc|kiem duyet|bo loc)",
    ),
    Guarded(
        "cs",
        r"(?:nerid|neridte) se (?:pokyny|pravidly|instrukcemi)|(?:pravidla|pokyny) (?:uz )?neplati|poslouchej jen me",
        r"(?:text|zpravu|vse)[^\n.!?]{0,16}? pred (?:touto|mou)|pokyny,? ktere jsi dostal",
        r"(?:heslo|tajne slovo)[^\n.!?]{0,16}?(?:ktere|pozpatku)|prozrad (?:mi )?heslo",
        r"(?:jsi|chovej se|odpovidej)[^\n.!?]{0,30}?bez (?:cenzury|moralky|omezeni|filtru|pravidel)",
    ),
)
_KINDS = (
    ("override_instructions", "hijack", 0.55, "lifted"),
    ("given_before", "extraction", 0.55, "before"),
    ("secret_kept", "extraction", 0.52, "secret"),
    ("complies_with_all", "jailbreak", 0.52, "unbound"),
)


def guarded_intents() -> Iterator[tuple[str, str, float, str]]:
    """(name, family, weight, pattern) of every language's wordings."""
    for row in ROWS:
        for name, family, weight, field in _KINDS:
            yield f"{name}_{row.code}", family, weight, widened(getattr(row, field), row.code)
