"""The same three intents in other languages: override the instructions, shed the limits, show the prompt.

Each row names the language's verbs and objects; where objects usually come first, both orders are matched.
Letters are written as usual, the patterns are normalised like the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_GAP = r"[^\n.!?]{0,60}?"


@dataclass(frozen=True, slots=True)
class Language:
    """Alternations: verbs of ignoring, what is ignored, verbs of showing, what is shown, and limits denied."""

    code: str
    ignore: str
    rules: str
    show: str
    prompt: str
    limitless: str
    both_orders: bool = False


TABLE: tuple[Language, ...] = (
    Language(
        "es",
        r"ignor(?:a|e|ad|en|ar|es|ando)|olvid(?:a|e|ad|en|ar|es|ate|ese)|descart(?:a|e|ar)|desobedec\w+|omit(?:e|"
        r"a|ir)|"
        r"haz caso omiso|no (?:sigas|hagas caso|obedezcas|tengas en cuenta)|pasa por alto|desestima|anula",
        r"instruccion\w*|indicacion\w*|reglas|ordenes|directrices|directivas|todo lo anterior|lo anterior|"
        r"restriccion\w*|"
        r"normas|limitacion\w*|lo que (?:te|se) (?:dij\w+|han dicho)",
        r"revel\w+|muestr\w+|mostrar\w*|dime|di|imprim\w+|repit\w+|escrib\w+|ensen\w+|cuentame|comparte|copia|"
        r"cual(?:es)? "
        r"(?:es|son|eran)|que dice\w*",
        r"(?:tu|tus|el|las|los|su|sus) (?:prompt|mensaje|instruccion\w*|indicacion\w*|reglas|directrices|"
        r"configuracion)(?: (?:del? )?(?:sistema|inicial\w*|origina\w*|secret\w+|ocult\w+|intern\w+|complet\w+|"
        r"previ\w+|"
        r"anterior\w*))|prompt (?:del? sistema|inicial|original|oculto|secreto)|tus (?:instrucciones|reglas)",
        r"sin (?:ningun\w* )?(?:restriccion\w*|limit\w*|filtros?|censura|etica|reglas|moral)|no tienes? "
        r"(?:restriccion\w*|"
        r"limit\w*|filtros?|reglas)|libre de (?:restriccion\w*|reglas)",
    ),
    Language(
        "fr",
        r"ignor(?:e|ez|er|ant)\b|oubli(?:e|ez|er)|neglig(?:e|ez|er)|fais abstraction|faites abstraction|ne "
        r"(?:tiens|tenez) "
        r"(?:pas|plus|aucun)|ne (?:suis|suivez|respecte\w*) (?:pas|plus)|contourn\w+|passe outre|desobei\w*|"
        r"ecarte\w*|"
        r"laisse\w* de cote|annule\w*",
        r"instructions?|consignes?|regles|directives?|ordres|ce qui precede|restrictions?|limitations?|contraintes",
        r"revel\w+|montre\w*|affiche\w*|dis|dites|donne\w*|repete\w*|imprime\w*|ecri[st]\w*|partage\w*|recopie\w*|"
        r"quel(?:le)?s? (?:est|sont|etaient)|c'est quoi|colle\w*|cite\w*|divulgue\w*|recite\w*",
        r"(?:ton|votre|tes|vos|le|les|l') ?(?:prompt|message|instructions?|consignes?|regles|directives?|"
        r"configuration)(?: (?:de |du )?(?:systeme|initial\w*|original\w*|origine|secret\w*|cache\w*|interne\w*|"
        r"complet\w*|depart))|prompt (?:systeme|initial|cache)|invite systeme|tes (?:instructions|consignes)|vos "
        r"(?:instructions|consignes)",
        r"sans (?:aucune? )?(?:restriction\w*|limit\w*|filtres?|censure|ethique|regles|morale)|aucune (?:restriction|"
        r"limite|regle)|libere de (?:toute\w* )?(?:restriction\w*|regles?)",
    ),
    Language(
        "de",
        r"ignorier\w*|vergiss|vergesst|vergessen sie|vergessen|missacht\w*|verwirf|verwerfen|uberschreib\w*|umgeh\w*|"
        r"befolge? (?:nicht|keine)|beacht\w* (?:nicht|keine)|halte? dich nicht|uberspring\w*|lass\w* \w+ ausser acht|"
        r"ausser acht|hor\w* auf",
        r"anweisung\w*|instruktion\w*|regeln|vorgaben|befehle?|anordnung\w*|richtlinien|systemprompt|prompts?|"
        r"beschrankung\w*|einschrankung\w*",
        r"zeig\w*|verrat\w*|nenn\w*|gib|geben|sag\w*|druck\w*|wiederhol\w*|schreib\w*|offenbar\w*|enthull\w*|"
        r"kopier\w*|"
        r"was (?:ist|sind|steht|war\w*)|wie laute[tn]|teil\w* mir|liste",
        r"(?:dein\w*|ihr\w*|den|die|das|der) (?:\w+ )?(?:system-?prompt\w*|systemnachricht|system-?anweisung\w*|"
        r"prompt|"
        r"(?:urspr\w+|geheime?n?|versteckte?n?|interne?n?|initiale?n?|genaue?n?|vollstandige?n?) \w*(?:anweisung\w*|"
        r"prompt|instruktion\w*|regeln|vorgaben))|deine (?:anweisungen|instruktionen|vorgaben)",
        r"ohne (?:jede |jegliche |irgendwelche )?(?:einschrankung\w*|beschrankung\w*|filter|zensur|ethi\w+|regeln|"
        r"moral\w*|grenzen)|keine(?:rlei)? (?:einschrankung\w*|regeln|grenzen|beschrankung\w*|filter)|"
        r"uneingeschrankt\w*|"
        r"unzensiert\w*",
        True,
    ),
    Language(
        "it",
        r"ignor(?:a|ate|are|i|ando)|dimentic(?:a|ate|are|hi)|trascur(?:a|are)|scart(?:a|are)|non (?:seguire|"
        r"considerare|"
        r"tenere conto|rispettare|obbedire)|tralascia|disattendi|aggira",
        r"istruzion\w+|regole|indicazion\w+|direttiv\w+|ordini|comandi|quanto (?:sopra|detto)|restrizion\w+|"
        r"limitazion\w+|"
        r"linee guida",
        r"rivel\w+|mostr\w+|dimmi|stamp\w+|ripet\w+|scriv\w+|condivid\w+|elenc\w+|copia|qual(?:e|i) (?:e|sono|"
        r"era\w*)|"
        r"cosa dice|dammi",
        r"(?:il|le|la|i) (?:tuo|tue|tuoi|tua|suo|sue)? ?(?:prompt|messaggio|istruzion\w+|regole|direttive|"
        r"configurazione)(?: (?:di )?(?:sistema|inizial\w+|original\w+|segret\w+|nascost\w+|intern\w+|"
        r"complet\w+))|prompt "
        r"(?:di sistema|iniziale|originale)|le tue (?:istruzioni|regole)",
        r"senza (?:alcuna? )?(?:restrizion\w+|limit\w+|filtri|censura|etica|regole|morale)|nessuna? "
        r"(?:restrizione|limite|"
        r"regola)|liber\w+ da (?:restrizion\w+|regole)",
    ),
    Language(
        "pt",
        r"ignor(?:e|a|em|ar|ando)\b|esquec(?:a|e|er|am)|desconsider\w+|desobede\w+|nao (?:sig\w+|obede\w+|leve|"
        r"considere)|"
        r"descart(?:e|a|ar)|deixe de (?:lado|seguir)|anule|contorne|desprez\w+",
        r"instruc\w+|regras|ordens|diretrizes|comandos|orientac\w+|tudo (?:o que|acima)|restric\w+|limitac\w+|"
        r"indicac\w+",
        r"revel\w+|mostr\w+|diga\w*|me diga|imprim\w+|repit\w+|escrev\w+|compartilh\w+|copie|qual (?:e|era)|"
        r"quais (?:sao|"
        r"eram)|exib\w+|liste|conte",
        r"(?:seu|sua|seus|suas|o|as|os|teu|tuas|tua) (?:prompt|mensagem|instruc\w+|regras|diretrizes|"
        r"configurac\w+)(?: "
        r"(?:d[eo] )?(?:sistema|inicia\w+|origina\w+|secret\w+|ocult\w+|intern\w+|complet\w+))|prompt (?:d[eo] "
        r"sistema|"
        r"inicial|original|oculto)|suas (?:instrucoes|regras)|tuas (?:instrucoes|regras)",
        r"sem (?:nenhum\w* |quaisquer |qualquer )?(?:restric\w+|limit\w+|filtros?|censura|etica|regras|moral)|"
        r"nenhuma "
        r"(?:restric\w+|regra)|livre de (?:restric\w+|regras)",
    ),
    Language(
        "nl",
        r"neger\w*|negeer|vergeet|sla \w+ over|houd geen rekening met|volg \w* ?niet|omzeil|laat .{0,30} buiten "
        r"beschouwing|verwerp|overschrijf",
        r"instructies?|regels|aanwijzing\w*|richtlijnen|beperkingen",
        r"toon|laat \w* ?zien|geef|zeg|vertel|print|herhaal|schrijf|onthul|deel|kopieer|wat (?:is|zijn|staat)",
        r"(?:je|jouw|uw|de|het) (?:\w+ )?(?:systeem-?prompt|systeembericht|systeeminstructies?|"
        r"(?:oorspronkelijke|geheime|"
        r"verborgen|interne|volledige|exacte|initiele) (?:prompt|instructies?|regels))|je (?:instructies|prompt)|"
        r"jouw "
        r"instructies",
        r"zonder (?:enige )?(?:beperking\w*|filters?|censuur|ethiek|regels|grenzen|moraal)|geen (?:beperkingen|"
        r"regels|"
        r"grenzen|filters?)|ongecensureerd\w*",
        True,
    ),
    Language(
        "pl",
        r"z?ignoruj\w*|zapomnij\w*|pomin\w*|nie (?:przestrzegaj|stosuj|zwazaj|sluchaj)\w*|odrzuc\w*|zlekcewaz\w*|"
        r"omin\w*|"
        r"nadpisz|porzuc",
        r"instrukcj\w+|polece\w+|zasad\w*|wytyczn\w+|regul\w*|ograniczen\w*|rozkaz\w*",
        r"pokaz\w*|ujawnij|wyswietl|podaj|powiedz|wypisz|powtorz|napisz|zdradz|udostepnij|skopiuj|jakie (?:sa|"
        r"byly)|jaki "
        r"(?:jest|byl)|zacytuj",
        r"(?:sw\w+|twoj\w*|two\w+)? ?(?:\w+ )?(?:prompt\w* (?:systemow\w+|poczatkow\w+)|systemow\w+ (?:prompt\w*|"
        r"instrukcj\w+)|wiadomosc systemow\w+|(?:ukryt\w+|tajn\w+|poczatkow\w+|wewnetrzn\w+|oryginaln\w+|"
        r"pierwotn\w+) "
        r"(?:instrukcj\w+|prompt\w*|polece\w+))|swoje instrukcje|twoje instrukcje",
        r"bez (?:zadnych |jakichkolwiek )?(?:ograniczen|filtrow|cenzury|zasad|etyki|regul|limitow)|nie masz "
        r"(?:zadnych "
        r")?(?:ograniczen|zasad)",
        True,
    ),
    Language(
        "ru",
        r"(?:про)?игнорир\w+|забуд\w+|забыть|не обраща\w+ внимани\w+|отмени\w*|не (?:следуй\w*|соблюдай\w*|"
        r"учитывай\w*|"
        r"слушай\w*|выполняй\w*)|пренебре\w+|отбрось\w*|обойди\w*|пропусти\w*|сбрось\w*|перестань",
        r"инструкци\w+|указани\w+|правил\w*|промпт\w*|установк\w+|ограничени\w+|распоряжени\w+|директив\w*",
        r"покаж\w+|показать|раскро\w+|выведи\w*|назови\w*|скажи\w*|повтори\w*|напиши\w*|распечата\w+|процитируй\w*|"
        r"перескажи\w*|скопируй\w*|как(?:ов|овы|ие|ой|ая) |сообщи\w*|выдай\w*|расскажи\w*",
        r"(?:сво\w+|тво\w+|ваш\w*|весь|все)? ?(?:\w+ )?(?:системн\w+ (?:промпт\w*|сообщени\w+|инструкци\w+|"
        r"подсказк\w+|"
        r"запрос)|(?:скрыт\w+|секретн\w+|изначальн\w+|начальн\w+|исходн\w+|внутренн\w+|первоначальн\w+|полн\w+) "
        r"(?:инструкци\w+|промпт\w*|указани\w+|правил\w*|сообщени\w+))|(?:свои|твои|ваши) (?:инструкци\w+|указани\w+|"
        r"правил\w*)|свой промпт|твой промпт",
        r"без (?:каких-либо |всяких |любых |никаких )?(?:ограничени\w+|фильтр\w*|цензур\w*|правил|этик\w*|морал\w*|"
        r"запретов)|нет (?:никаких )?(?:ограничени\w+|правил|запретов)|неограниченн\w+",
        True,
    ),
    Language(
        "uk",
        r"(?:про)?ігнору\w+|забуд\w+|не зважай\w*|не (?:дотримуйся|виконуй|слухай)\w*|скасуй\w*|відкинь\w*|"
        r"знехтуй\w*|"
        r"обійди\w*",
        r"інструкці\w+|вказів\w+|правил\w*|команд\w*|обмежен\w+|наказ\w*",
        r"покажи\w*|розкри\w+|виведи\w*|назви\w*|скажи\w*|повтори\w*|напиши\w*|як(?:ий|і) |перекажи\w*|процитуй\w*",
        r"системн\w+ (?:промпт\w*|повідомлен\w+|інструкці\w+|підказк\w+)|(?:прихован\w+|секретн\w+|початков\w+|"
        r"внутрішн\w+) (?:інструкці\w+|промпт\w*)|(?:свої|твої|ваші) (?:інструкці\w+|правил\w*)",
        r"без (?:жодних |будь-яких )?(?:обмежен\w+|фільтр\w*|цензур\w*|правил|етик\w*)",
        True,
    ),
    Language(
        "cs",
        r"ignoruj\w*|zapomen\w*|nedbej\w*|nedodrzuj\w*|neres\w*|preskoc\w*|obejdi|zrus",
        r"instrukc\w+|pokyn\w*|pravid\w+|prikaz\w*|omezen\w*",
        r"ukaz\w*|zobraz\w*|odhal\w*|vypis\w*|rekni|napis\w*|zopakuj\w*|prozrad\w*|sdel\w*|jak(?:y|e) (?:je|jsou)",
        r"systemov\w+ (?:prompt\w*|zprav\w*|instrukc\w+|pokyn\w*)|(?:skryt\w+|tajn\w+|puvodn\w+|vnitrn\w+|"
        r"pocatecn\w+) "
        r"(?:instrukc\w+|prompt\w*|pokyn\w*)|sv[eo]\w* (?:instrukce|pokyny)",
        r"bez (?:jakychkoli |zadnych )?(?:omezen\w*|filtr\w*|cenzur\w*|pravid\w*|etik\w*)",
        True,
    ),
    Language(
        "sv",
        r"ignorera|glom|bortse fran|strunta i|folj inte|asidosatt|hoppa over|kringga",
        r"instruktion\w*|regler\w*|anvisning\w*|riktlinjer\w*|begransning\w*",
        r"visa|avsloja|skriv (?:ut)?|upprepa|beratta|ge mig|lista|vad (?:ar|star)|kopiera|citera|dela",
        r"(?:din|ditt|dina|er|den|det)? ?(?:systemprompt\w*|system-?meddelande\w*|system-?instruktion\w*|"
        r"(?:ursprungliga|"
        r"hemliga|dolda|interna|fullstandiga) (?:instruktion\w*|prompt\w*|regler))|dina instruktioner",
        r"utan (?:nagra )?(?:begransning\w*|filter|censur|etik|regler|moral|granser)",
    ),
    Language(
        "fi",
        r"unohda|ohita|jata huomiotta|jata huomioimatta|ala (?:noudata|valita)|sivuuta",
        r"ohje\w*|saannot|saanto\w*|maaray\w+|rajoituk\w+",
        r"nayta|paljasta|tulosta|toista|kerro|kirjoita|mika on|mitka ovat|kopioi",
        r"jarjestelma(?:kehot\w+|viesti\w*|ohje\w*)|(?:alkuperai\w+|salai\w+|piilo\w+|sisai\w+) (?:ohje\w*|kehot\w+)|"
        r"ohjeesi|kehotteesi|kaikki ylla\w*",
        r"ilman (?:mitaan )?(?:rajoituk\w+|suodat\w+|sensuur\w+|saanto\w*|etiik\w+)",
    ),
    Language(
        "ro",
        r"ignora\w*|uita\w*|nu (?:mai )?(?:urma|tine|respecta)\w*|treci peste|renunta la",
        r"instructiun\w+|regul\w+|indicati\w+|ordine\w*|restricti\w+",
        r"arata\w*|dezvaluie|afiseaza|spune\w*|repeta|scrie|care (?:este|sunt)|listeaza",
        r"promptul\w* (?:de sistem|initial)|mesajul de sistem|instructiun\w+ (?:tale|initiale|secrete|ascunse|de "
        r"sistem|"
        r"originale)|tot ce (?:este|e|scrie) mai sus|textul de mai sus",
        r"fara (?:nicio |nici o )?(?:restricti\w+|limit\w+|filtre|cenzura|etica|reguli)",
    ),
    Language(
        "hu",
        r"hagyd (?:figyelmen kivul|ki)|felejtsd el|ne (?:kovesd|vedd figyelembe|torodj)|hagyja figyelmen kivul|"
        r"mellozd|"
        r"torold",
        r"utasitas\w*|szabaly\w*|parancs\w*|iranyelv\w*|korlatozas\w*",
        r"mutasd|aruld el|ird (?:ki|le)|mondd|ismeteld|fedd fel|listazd|mi (?:a|az)|masold",
        r"rendszer(?:prompt|uzenet|utasitas)\w*|(?:eredeti|titkos|rejtett|belso|kezdeti) (?:utasitas\w*|prompt\w*)|"
        r"utasitasaid\w*",
        r"(?:korlatozas\w*|szabaly\w*|szuro\w*|cenzura|etika\w*) nelkul",
        True,
    ),
    Language(
        "el",
        r"αγνοησ\w*|αγνοειστε|ξεχασ\w*|μην (?:ακολουθ\w+|λαβεις|υπακου\w+)|παρακαμψ\w*|παρεβλεψ\w*",
        r"οδηγι\w+|εντολ\w+|κανον\w+|περιορισμ\w+",
        r"δειξ\w*|αποκαλυψ\w*|εμφανισ\w*|πες|επαναλαβ\w*|γραψ\w*|τυπωσ\w*|ποι(?:ες|α|ο) ειναι",
        r"(?:μηνυμα|προτροπη|οδηγι\w+|prompt) (?:του )?συστηματος|(?:αρχικ\w+|μυστικ\w+|κρυφ\w+|εσωτερικ\w+) "
        r"(?:οδηγι\w+|"
        r"εντολ\w+|προτροπ\w+|prompt)|system prompt|οδηγιες σου",
        r"χωρις (?:κανεναν |καθολου )?(?:περιορισμ\w+|φιλτρ\w+|λογοκρισι\w+|κανον\w+|ηθικ\w+|ορια)",
    ),
    Language(
        "tr",
        r"yok say\w*|gormezden gel\w*|unut\w*|dikkate alma\w*|bos ver\w*|uyma\w*|goz ardi et\w*|gecersiz say\w*|"
        r"dinleme|"
        r"iptal et",
        r"talimat\w*|kural\w*|yonerge\w*|komut\w*|kisitlama\w*|sinirlama\w*|emir\w*|istem\w*",
        r"goster\w*|acikla\w*|yazdir\w*|soyle\w*|tekrarla\w*|yaz\w*|ifsa et\w*|paylas\w*|nedir|nelerdir|ver|"
        r"listele\w*|"
        r"kopyala\w*",
        r"sistem (?:istemi\w*|mesaj\w*|talimat\w*|prompt\w*|komut\w*)|(?:gizli|ilk|baslangic|orijinal|dahili|asil) "
        r"(?:talimat\w*|istem\w*|prompt\w*|komut\w*)|talimatlarini\w*|promptunu",
        r"(?:kisitlama|sinirlama|sinir|filtre|sansur|kural|etik)\w* (?:olmadan|olmayan|yok)|kisitlamasiz|sinirsiz|"
        r"sansursuz|kuralsiz",
        True,
    ),
    Language(
        "ar",
        r"تجاهل\w*|انس[ىَ]?|انسى|تخط\w*|لا تتبع|لا تلتزم|أهمل|اهمل|تغاض\w*|اترك|الغ|ألغ",
        r"التعليمات|تعليمات\w*|الأوامر|الاوامر|القواعد|التوجيهات|القيود|الإرشادات",
        r"أظهر|اظهر|اعرض|أعرض|اكشف|أكشف|اطبع|كرر|اكتب|أخبرني|اخبرني|قل لي|شارك|ما هي|ما هو|انسخ|أعطني|اعطني",
        r"(?:موجه|رسالة|تعليمات|مطالبة|أوامر) النظام|تعليماتك|(?:التعليمات|الأوامر|القواعد|المطالبة) (?:الأصلية|"
        r"السرية|"
        r"المخفية|الداخلية|الأولية|الخاصة بك)",
        r"بدون (?:أي |اي )?(?:قيود|حدود|فلاتر|رقابة|أخلاق\w*|قواعد)|بلا (?:قيود|حدود|رقابة|قواعد)|دون (?:أي "
        r")?قيود|لا "
        r"(?:توجد|تخضع).{0,12}قيود",
    ),
    Language(
        "fa",
        r"نادیده بگیر\w*|فراموش کن\w*|توجه نکن|دنبال نکن|پیروی نکن|چشم ?پوشی کن|رد کن",
        r"دستور\w*|قوانین|قواعد|راهنما\w*|محدودیت\w*",
        r"نشان بده\w*|فاش کن\w*|چاپ کن\w*|بگو\w*|تکرار کن\w*|بنویس\w*|چیست",
        r"(?:پرامپت|پیام|دستورات|دستورالعمل\w*) (?:های )?سیستم\w*|دستورات? (?:اولیه|مخفی|پنهان|داخلی)|"
        r"دستورالعمل\w*(?: "
        r"خود| ات)",
        r"بدون (?:هیچ )?(?:محدودیت\w*|فیلتر\w*|سانسور|قانون|اخلاق)",
        True,
    ),
    Language(
        "he",
        r"התעלם|תתעלם|התעלמי|התעלמו|שכח|תשכח|שכחי|אל (?:תציית|תתייחס|תעקוב)|בטל|עקוף",
        r"הוראות|ההוראות|הנחיות|ההנחיות|כללים|הכללים|המגבלות|מגבלות",
        r"הצג|הראה|תראה|חשוף|הדפס|אמור|תגיד|חזור|כתוב|מה (?:הן|הם|היא|הוא)|גלה|העתק",
        r"(?:הנחיית|הודעת|הוראות|פרומפט) (?:ה)?מערכת|ההוראות (?:שלך|המקוריות|הסודיות|הנסתרות|הפנימיות)|הפרומפט שלך",
        r"ללא (?:כל )?(?:הגבלות|מגבלות|צנזורה|מסננים|כללים|אתיקה)|בלי (?:שום )?(?:הגבלות|מגבלות|צנזורה|כללים)",
    ),
    Language(
        "hi",
        r"अनदेखा|अनदेखी|नजरअंदाज|नज़रअंदाज़|भूल जा\w*|भूल जाएं|भूल जाओ|उपेक्षा|मत मान\w*|पालन न कर\w*|इग्नोर",
        r"निर्देश|निर्देशों|नियम|नियमों|आदेश|आदेशों|प्रतिबंध|इंस्ट्रक्शन",
        r"दिखा\w*|बता\w*|प्रकट|प्रिंट|दोहरा\w*|लिख\w*|क्या (?:है|हैं|थे)|साझा",
        r"सिस्टम (?:प्रॉम्प्ट|प्रोम्प्ट|संदेश|निर्देश)|(?:छिपे|छुपे|गुप्त|मूल|प्रारंभिक|आंतरिक) (?:हुए )?(?:निर्देश|"
        r"प्रॉम्प्ट|नियम)|(?:अपने|आपके|तुम्हारे) निर्देश",
        r"(?:बिना|कोई) (?:किसी )?(?:प्रतिबंध|सीमा|फ़िल्टर|फिल्टर|नियम|सेंसर|नैतिक)",
        True,
    ),
    Language(
        "zh",
        r"忽略|无视|無視|忘记|忘記|忘掉|不要理会|不要理會|忽视|忽視|跳过|跳過|覆盖|覆蓋|抛开|拋開|丢弃|"
        r"丟棄|停止遵守|不要遵守|不再遵守|不用管|别管|绕过|繞過|摆脱|清除|撤销|取消",
        r"指令|指示|提示|规则|規則|命令|设定|設定|限制|约束|準則|准则",
        r"显示|顯示|展示|输出|輸出|打印|列印|重复|重複|复述|複述|告诉|告訴|说出|說出|透露|泄露|"
        r"洩露|公开|公開|写出|寫出|复制|複製|给我|給我|是什么|是什麼|有哪些|列出",
        r"系统提示|系統提示|系统消息|系統訊息|系统指令|系統指令|初始(?:提示|指令|設定|设定)|(?:你|"
        r"您)的(?:提示词|提示詞|指令|设定|設定|规则|規則|系统|系統|初始|原始)|(?:隐藏|"
        r"隱藏|原始|内部|"
        r"內部|秘密|机密|完整)的?(?:提示|指令|规则|規則)",
        r"没有(?:任何)?(?:限制|约束|道德|审查|规则|过滤)|沒有(?:任何)?(?:限制|約束|道德|審查|規則|"
        r"過濾)|不受(?:任何)?(?:限制|约束|約束|规则|規則)|无限制|無限制|不受道德",
        True,
    ),
    Language(
        "ja",
        r"無視|忘れ|破棄|従わない|従うな|取り消|無効|上書き|スキップ|むし",
        r"指示|命令|ルール|プロンプト|規則|制約|指図|設定|制限|ガイドライン",
        r"表示|見せ|教え|出力|繰り返|書い|書き出|開示|公開|漏ら|示し|言って|とは|何です|リスト|コピー",
        r"システム(?:プロンプト|メッセージ|指示|命令)|(?:あなた|君|お前)の(?:指示|プロンプト|ルール|"
        r"設定|命令)|(?:初期|最初の|元の|隠された|秘密の|内部|非公開の)(?:指示|"
        r"プロンプト|設定|命令|"
        r"ルール)",
        r"(?:制限|制約|規制|フィルター|倫理|検閲|ルール)(?:が|の|は|"
        r"も)?(?:ない|なし|なく|無し|無い)|無制限|制限なし|縛られない|とらわれ",
        True,
    ),
    Language(
        "ko",
        r"무시|잊어|잊고|잊으|따르지|어기|건너뛰|무효|취소|버려|덮어",
        r"지시|명령|규칙|지침|프롬프트|제한|가이드라인",
        r"보여|알려|출력|반복|말해|공개|작성|써 ?줘|적어|무엇|뭐야|뭔지|나열|복사|밝혀|누설",
        r"시스템 ?(?:프롬프트|메시지|지시|명령)|(?:너의|당신의|네) ?(?:지시|프롬프트|지침|규칙|"
        r"설정|초기)|(?:초기|원래|숨겨진|비밀|내부|최초) ?(?:의 )?(?:지시|"
        r"프롬프트|지침|명령|"
        r"설정)",
        r"(?:제한|제약|필터|검열|규칙|윤리)(?:이|가|은|는|도)? ?(?:없|받지)|무제한",
        True,
    ),
    Language(
        "vi",
        r"bo qua|phot lo|quen (?:di|het|tat ca)|khong (?:tuan theo|lam theo|quan tam)|lo di|huy bo|vo hieu",
        r"huong dan|chi dan|menh lenh|quy tac|chi thi|lenh|gioi han",
        r"hien thi|cho (?:toi|minh) (?:biet|xem)|tiet lo|in ra|lap lai|noi|viet|chia se|la gi|liet ke|sao chep",
        r"(?:loi nhac|prompt|thong diep|huong dan|chi dan|tin nhan|lenh) (?:cua )?he thong|(?:huong dan|chi dan|"
        r"prompt|"
        r"lenh) (?:ban dau|goc|bi mat|an|noi bo|cua ban)",
        r"khong (?:co |bi )?(?:bat ky )?(?:gioi han|rang buoc|han che|kiem duyet|quy tac|dao duc|bo loc)",
    ),
    Language(
        "id",
        r"abaikan|lupakan|hiraukan|jangan (?:ikuti|patuhi|hiraukan)|kesampingkan|batalkan|langgar",
        r"instruksi|perintah|aturan|petunjuk|arahan|batasan|pedoman",
        r"tampilkan|tunjukkan|ungkapkan|cetak|ulangi|katakan|tulis(?:kan)?|beri ?tahu|bagikan|apa (?:itu|isi|saja)|"
        r"sebutkan|salin|bocorkan",
        r"(?:prompt|pesan|instruksi|perintah) sistem|(?:instruksi|prompt|perintah|aturan) (?:awal|asli|rahasia|"
        r"tersembunyi|internal|anda|kamu|mu)|instruksimu",
        r"tanpa (?:ada )?(?:batasan|batas|filter|sensor|aturan|etika|moral|pembatasan)|tidak (?:memiliki|punya|ada|"
        r"terikat) (?:oleh )?(?:batasan|aturan|filter|etika)",
    ),
    Language(
        "th",
        r"เพิกเฉย|ลืม|ไม่ต้องสนใจ|ละเลย|อย่าสนใจ|ไม่ต้องทำตาม|อย่าทำตาม|ข้าม|ยกเลิก|มองข้าม",
        r"คำสั่ง|คำแนะนำ|กฎ|ข้อจำกัด|แนวทาง",
        r"แสดง|เปิดเผย|บอก|พิมพ์|ทำซ้ำ|พูด|เขียน|คืออะไร|แชร์|คัดลอก",
        r"(?:พรอมต์|พรอมป์|ข้อความ|คำสั่ง)(?:ของ)?ระบบ|คำสั่ง(?:เริ่มต้น|ลับ|ที่ซ่อน|ภายใน|เดิม|ของคุณ)|system "
        r"prompt",
        r"ไม่มี(?:ข้อจำกัด|ขีดจำกัด|กฎ|ตัวกรอง|จริยธรรม|การเซ็นเซอร์)|ปราศจากข้อจำกัด",
        True,
    ),
)


def intents() -> Iterator[tuple[str, str, float, str]]:
    """(name, family, weight, pattern) of every language's features."""
    for row in TABLE:
        orders = [(row.ignore, row.rules), (row.rules, row.ignore)] if row.both_orders else [(row.ignore, row.rules)]
        for first, second in orders:
            yield f"override_instructions_{row.code}", "hijack", 0.72, f"(?:{first}){_GAP}(?:{second})"
        orders = [(row.show, row.prompt), (row.prompt, row.show)] if row.both_orders else [(row.show, row.prompt)]
        for first, second in orders:
            yield f"extract_prompt_{row.code}", "extraction", 0.7, f"(?:{first}){_GAP}(?:{second})"
        yield f"without_limits_{row.code}", "jailbreak", 0.4, f"(?:{row.limitless})"
