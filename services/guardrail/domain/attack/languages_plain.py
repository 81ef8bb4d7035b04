"""Attacks in plain words in other languages: no instruction is named, yet the task, the answer or the role is replaced.

Each row says: dropping all that was told or asked, answering only with given words, being somebody from now on,
refusing nothing, showing what was said at the start, and saying it word for word.
"""

from __future__ import annotations

import re
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


WORDINGS: tuple[Wording, ...] = (
    Wording(
        "es",
        r"(?:olvid\w+|ignor\w+|deja de lado|descarta)[^\n.!?]{0,40}?(?:todo lo que|lo que|cuanto) (?:te|se te|os|"
        r"le) (?:\w+ )?(?:pid\w+|dij\w+|ha\w* (?:dicho|pedido)|orden\w+|mand\w+|ensen\w+)|(?:olvid\w+|abandona) "
        r"(?:de )?(?:todas )?(?:tus?|las) (?:tareas?|mision|funcion|anterior\w* tareas)|(?:deja|para|detén|"
        r"abandona)\w* (?:de )?(?:lo que|la traducci\w+|el resumen|tu tarea|traducir|resumir)[^\n.!?]{0,30}? y "
        r"(?:escrib|repit|di|respond|haz)\w*|no hagas caso (?:a|de) (?:tus|las) (?:reglas|normas|instrucciones)|"
        r"(?:deja|olvida|abandona|para)\w* (?:ya )?(?:la|el|tu|esa|esta) (?:tarea|trabajo|mision|traduccion|"
        r"encargo)|(?:antes de|lo que ponia antes de) (?:mi|este) mensaje",
        r"(?:respond\w+|contest\w+|escrib\w+|di|digas) (?:solo|solamente|unicamente|nada mas que)\b",
        r"(?:desde|a partir de) ahora,? (?:eres|seras|te llamas|actuas|actuaras|respondes como|vas a ser)\b|"
        r"(?:actúa|actua|juega|haz|interpreta|simula)\w* (?:como|de|a ser|que eres|el "
        r"papel)\b[^\n.!?]{0,40}?(?:\bia\b|inteligencia artificial|asistente|robot|bot)",
        r"(?:responde\w* a todo|aunque sea ilegal|nunca (?:te niegues|digas que no|te niegas|rechaz\w+)|jamas "
        r"rechaz\w+|sin negarte|no (?:tiene|tienes) que (?:seguir|respetar|cumplir)[^\n.!?]{0,20}(?:reglas|normas|"
        r"limites))|(?:contest\w+|respond\w+) (?:a )?(?:cualquier|todo|todas)|no le importan? las (?:leyes|reglas|"
        r"normas)|\bia liberada|sin ley",
        r"(?:lo que|todo lo que|instrucciones que|reglas que|palabras que) (?:te|se te|has|os) "
        r"[^\n.!?]{0,40}?(?:antes de este|al (?:principio|inicio|comienzo)|antes de mi)|(?:texto|mensaje|reglas|"
        r"instrucciones|palabras|lo)[^\n.!?]{0,12}? que (?:recibiste|te dieron|te dio|leíste|has recibido)|reglas "
        r"te dieron|(?:antes de|previo a) mi primer (?:mensaje|pregunta)|antes de mi mensaje",
        r"(?:palabra por palabra|literalmente|textualmente|al pie de la letra)",
    ),
    Wording(
        "fr",
        r"(?:oubli\w+|ignor\w+|laisse\w* tomber|abandonn\w+) (?:tout ce|ce) (?:que l'on|qu'on|que je|qui) "
        r"[^\n.!?]{0,40}?(?:dit|demand\w+|appris|ordonn\w+)|(?:oubli\w+|abandonn\w+) (?:ta|votre|toute) "
        r"(?:mission|tache|consigne|fonction)|(?:arrête|arrete|stoppe|interromps|laisse)\w* (?:ta|la|le|de) "
        r"(?:tâche|traduction|résumé|travail|traduire|résumer)[^\n.!?]{0,30}? et (?:écri|dis|répè|répond)\w*|ne "
        r"respecte\w* plus (?:tes|les) (?:regles|consignes|instructions)|(?:laisse|oubli|abandonn|arret|quitt)\w* "
        r"(?:tomber )?(?:ta|la|cette|votre) (?:mission|tache|traduction|consigne|travail)",
        r"(?:repond\w*|ecri\w+|dis|dites) (?:uniquement|seulement|juste|rien que|exclusivement)\b",
        r"(?:a partir de maintenant|desormais|dorenavant),? (?:tu es|tu seras|vous etes|tu t'appelles|tu agis|tu "
        r"reponds comme)\b|(?:joue\w*|incarne\w*|fais|tu vas jouer|agis)\b[^\n.!?]{0,40}?(?:\bia\b|intelligence "
        r"artificielle|assistant|robot)",
        r"(?:repond\w* a tout|meme si c'est illegal|ne refuse\w* (?:jamais|rien)|sans jamais refuser|tu ne dis "
        r"jamais non|(?:aucune|pas de) regle|n'a (?:pas a|plus a) (?:respecter|suivre))|repond\w* a (?:chaque|"
        r"toutes?|n'importe)|se moque des (?:regles|lois)|\bia liberee|intelligence artificielle liberee",
        r"(?:ce que|consignes|instructions|regles|mots|texte)[^\n.!?]{0,40}?(?:as-tu|avez-vous|tu as|vous avez|"
        r"t'a|t'ont|on t'a)[^\n.!?]{0,40}?(?:recu\w*|donne\w*|dit|avant cette|au (?:debut|depart))|tout ce qui "
        r"(?:precede|est (?:ecrit )?(?:au-?dessus|ci-dessus)|vient avant)|(?:texte|message|regles|consignes|"
        r"instructions|mots)[^\n.!?]{0,12}? (?:que )?(?:tu as|vous avez|on t'a|tes developpeurs|vos developpeurs|"
        r"tes createurs)[^\n.!?]{0,20}?(?:recu|donne|ecrit)\w*|avant mon premier message|ce qui precede ce|avant "
        r"ce message",
        r"(?:mot a mot|mot pour mot|textuellement|telles? quelles?|integralement)",
    ),
    Wording(
        "de",
        r"(?:vergiss|vergesst|vergessen sie|ignorier\w*|lass\w*)[^\n.!?]{0,40}?(?:alles|was)(?:,? was)? (?:du|man|"
        r"ich|dir|bisher|davor|vorher|zuvor)[^\n.!?]{0,40}?(?:gesagt|gemacht|getan|gelernt|befohlen|aufgetragen|"
        r"weisst|wurde|hast)|(?:vergiss|ignoriere|verwirf) (?:alle|deine|samtliche) (?:\w+ )?(?:aufgaben?|"
        r"auftrage?|tatigkeiten)|(?:alte\w*|bisherige\w*|vorherige\w*) (?:regeln|anweisungen|vorgaben) (?:sind|"
        r"gelten) (?:gestrichen|nicht mehr|ungultig|aufgehoben)|anweisungen beiseite|(?:lass|stopp|brich|beende|"
        r"hör)\w* (?:deine|die|das|mit der|auf)[^\n.!?]{0,16}?(?:aufgabe|ubersetz\w+|zusammenfass\w+|arbeit|"
        r"auftrag)\w*[^\n.!?]{0,20}? und (?:schreib|sag|antwort|gib)\w*|halte? dich nicht (?:mehr )?an (?:deine|"
        r"die) (?:regeln|vorgaben|anweisungen)|ab (?:sofort|jetzt) nicht mehr[^\n!?]{0,40}?sondern|(?:vergiss|"
        r"ignorier\w*) (?:nun |jetzt )?(?:den|alle|jeden) (?:\w+ )?(?:kontext|text von oben|texte?)|(?:vergiss|"
        r"vergessen|lass|streich)\w*,? (?:alles, )?(?:was (?:man|du|dir|ich)|deine aufgabe|die aufgabe|den "
        r"auftrag)|(?:setz|heb)\w* (?:alle|deine|die) (?:regeln|anweisungen|vorgaben|beschrankungen) (?:ausser "
        r"kraft|auf)",
        r"(?:antworte\w*|sag\w*|schreib\w*|gib) (?:mir )?(?:nur|ausschliesslich|lediglich|bloss|immer nur)\b",
        r"(?:ab jetzt|von nun an|ab sofort|von jetzt an) (?:bist du|heisst du|antwortest du als|spielst du|"
        r"verhaltst du dich)\b|(?:ich bin|hier spricht) (?:jetzt |nun )?dein (?:chef|meister|besitzer|entwickler|"
        r"administrator)|(?:spiele?|mime|simuliere|verhalte dich wie|tu so, als warst "
        r"du)\b[^\n.!?]{0,40}?(?:\bki\b|kunstliche intelligenz|assistent|roboter)",
        r"(?:lehn\w* (?:niemals|nie|nichts) ab|(?:niemals|nie) ab(?:lehn\w+)?|verweiger\w* (?:nie|nichts)|alles "
        r"darf|antwortet? auf alles|auch wenn es illegal|nicht an (?:die|ihre|seine|irgendwelche|"
        r"keine)[^\n.!?]{0,20}regeln (?:halten|gebunden)|von (?:den|allen)[^\n.!?]{0,30}(?:grenzen|"
        r"fesseln)[^\n.!?]{0,30}befreit)|(?:jede|alle) fragen? (?:beantwort|antwort)\w*|beantwortet (?:jede|alle)|"
        r"niemals warn\w*|\bki ohne (?:moral|regeln|grenzen|ethik)",
        r"(?:alles,? was|was|text,? der|worte,? die|anweisungen,? die)[^\n!?]{0,40}?(?:uber (?:dieser|meiner)|vor "
        r"(?:dieser|meiner|diesem)|oberhalb|am anfang|zu beginn|vorher|ganz oben)|(?:text|nachricht|regeln|"
        r"anweisungen|worte|vorgaben)[^\n.!?]{0,12}? (?:hat dir|haben dir|wurden dir|hast du|,? ?den du|,? ?die "
        r"du)[^\n.!?]{0,40}?(?:bekommen|erhalten|gegeben|vorgegeben|gesetzt|entwickler)|worter deines prompts|was "
        r"vor (?:dieser|meiner) nachricht",
        r"(?:wortwortlich|wort fur wort|wortlich|buchstablich|unverandert|im wortlaut|eins zu eins)",
    ),
    Wording(
        "it",
        r"(?:dimentic\w+|ignor\w+|lascia perdere|tralascia)[^\n.!?]{0,40}?(?:tutto quello che|tutto cio che|"
        r"quello che|cio che|quanto) (?:ti|vi) (?:\w+ )?(?:dett\w+|chiest\w+|ordin\w+)|(?:lascia perdere|"
        r"abbandona|scorda\w*) (?:tutte )?(?:le|i|il|la|i tuoi|le tue) (?:istruzioni|compit\w+|ordini|regole)|"
        r"(?:interrompi|smetti|ferma|lascia)\w* (?:il|la|di|tutto)[^\n.!?]{0,16}?(?:compito|traduzione|tradurre|"
        r"riassunto|lavoro)[^\n.!?]{0,20}? e (?:scriv|di|rispond|ripet)\w*|(?:lascia|dimentica|abbandona|"
        r"molla)\w* (?:stare |perdere )?(?:il|la|questo|quel|tuo) (?:compito|lavoro|incarico|traduzione|missione)",
        r"(?:rispond\w+|scriv\w+|di'|dici) (?:solo|soltanto|solamente|unicamente)\b",
        r"(?:da ora in poi|d'ora in poi|da adesso|da questo momento),? (?:sei|sarai|ti chiami|agisci|rispondi "
        r"come)\b|(?:interpreta|fai|recita|simula|comportati)\b[^\n.!?]{0,40}?(?:\bia\b|intelligenza artificiale|"
        r"assistente|robot)",
        r"(?:rispond\w+ a tutto|anche se e illegale|non (?:rifiut\w+|ti rifiut\w+) mai|senza mai rifiutare)|"
        r"rispond\w+ a (?:qualsiasi|ogni|tutte|qualunque)|senza regole|intelligenza artificiale liberata",
        r"(?:istruzioni|parole|regole|cosa|quello che|cio che)[^\n.!?]{0,40}?(?:ti hanno|hai|ti e stato|vi hanno) "
        r"[^\n.!?]{0,40}?(?:all'inizio|prima di (?:questo|me)|prima di questa)|(?:testo|messaggio|regole|"
        r"istruzioni|parole)[^\n.!?]{0,12}? (?:che hai|che ti hanno|ti hanno)[^\n.!?]{0,16}?(?:ricevuto|dato|"
        r"scritto)\w*|prima del mio (?:primo )?messaggio",
        r"(?:parola per parola|testualmente|alla lettera|letteralmente)",
    ),
    Wording(
        "pt",
        r"(?:esquec\w+|ignor\w+|deixe de lado)[^\n.!?]{0,40}?(?:tudo o que|o que|tudo que) (?:te |lhe |voce "
        r")?(?:mand\w+|diss\w+|ped\w+|foi|falaram|aprendeu)|(?:esqueca|abandone) (?:todas )?(?:a sua|sua|as suas|"
        r"suas|tua) (?:tarefas?|missao|funcao)|(?:pare|interrompa|largue|deixe)\w* (?:a|o|de|"
        r"sua)[^\n.!?]{0,16}?(?:tarefa|traducao|traduzir|resumo|trabalho)[^\n.!?]{0,20}? e (?:escrev|diga|respond|"
        r"repit)\w*|(?:esquec|larg|abandon|deix)\w* (?:a|essa|esta|sua|o) (?:tarefa|missao|traducao|trabalho)",
        r"(?:respond\w+|escrev\w+|diga) (?:so|somente|apenas|unicamente)\b",
        r"(?:a partir de agora|de agora em diante|agora),? (?:voce |tu )?(?:e|es|sera|se chama|vai ser|age como) |"
        r"voce agora e\b|(?:interprete|finja|simule|aja|atue)\b[^\n.!?]{0,40}?(?:\bia\b|inteligencia artificial|"
        r"assistente|robo)",
        r"(?:respond\w+ (?:a )?tudo|mesmo que seja ilegal|nunca (?:se )?recus\w+|nao segue regras|jamais "
        r"recus\w+)|respond\w+ (?:a )?(?:qualquer|toda)|\bia (?:livre|sem regras)|sem regras",
        r"(?:regras|instruc\w+|palavras|o que|tudo o que)[^\n.!?]{0,40}?(?:recebeu|te deram|lhe deram|te disseram|"
        r"foi dito|ouviu|leu)[^\n.!?]{0,40}?(?:no inicio|no comeco|antes desta|antes de)|(?:texto|mensagem|regras|"
        r"instrucoes|palavras)[^\n.!?]{0,12}? que (?:voce|te|lhe)[^\n.!?]{0,16}?(?:recebeu|deram|leu)|antes da "
        r"minha primeira mensagem",
        r"(?:palavra por palavra|literalmente|ao pe da letra|na integra)",
    ),
    Wording(
        "nl",
        r"(?:vergeet|negeer)[^\n.!?]{0,40}?(?:alles|wat)[^\n.!?]{0,40}?(?:hiervoor|gezegd|verteld|geleerd|"
        r"gevraagd|opgedragen)|(?:vergeet|negeer|laat) (?:wat je|je opdracht|je taak|de opdracht|de taak)",
        r"(?:antwoord|zeg|schrijf) (?:alleen|enkel|slechts|uitsluitend)\b",
        r"(?:vanaf nu|van nu af aan) (?:ben je|heet je|antwoord je als|speel je)\b",
        r"(?:weiger\w* (?:nooit|niets)|ook als het illegaal|beantwoord\w* alles)",
        r"(?:alles|wat|woorden|instructies)[^\n.!?]{0,40}?(?:voor dit bericht|boven deze|aan het begin|kreeg)",
        r"(?:woord voor woord|letterlijk|woordelijk)",
    ),
    Wording(
        "pl",
        r"(?:zapomnij|zignoruj|ignoruj)[^\n.!?]{0,40}?(?:o )?(?:wszystk\w+|tym),? (?:co|"
        r"czego)[^\n.!?]{0,40}?(?:mowi\w+|powiedz\w+|kazan\w+|prosi\w+)|(?:przerwij|przestan|porzuc)\w* "
        r"(?:tlumacz\w+|zadanie|prace)[^\n.!?]{0,20}? i (?:napisz|powiedz|pisz)|nie przestrzegaj swoich zasad",
        r"(?:odpowiadaj|odpowiedz|napisz|powiedz|pisz) (?:tylko|wylacznie|jedynie)\b",
        r"(?:od teraz|od tej chwili) (?:jestes|nazywasz sie|bedziesz|odpowiadasz jako)\b|(?:zagraj|wciel sie|"
        r"udawaj)\b[^\n.!?]{0,40}?(?:\bai\b|\bsi\b|sztuczn\w+ inteligencj\w+)",
        r"(?:nigdy nie odmaw\w+|nawet jesli (?:to )?nielegaln\w+|odpowiada\w* na wszystko)|odpowiada\w* na "
        r"(?:kazde|dowolne)",
        r"(?:instrukcj\w+|polecen\w+|zasad\w*|slow\w*|co|tekst)[^\n.!?]{0,40}?(?:dostal\w+|otrzymal\w+|"
        r"powiedziano|przed (?:ta|tym|moj\w+))[^\n.!?]{0,40}?|(?:tekst|reguly|instrukcje|zasady),? (?:ktor\w+ "
        r")?(?:dostal\w+|otrzymal\w+)|jakie (?:instrukcje|zasady) (?:dostal\w+|otrzymal\w+)|na poczatku rozmowy",
        r"(?:slowo w slowo|doslownie|co do slowa)",
    ),
    Wording(
        "ru",
        r"(?:забудь\w*|игнорируй\w*|отбрось\w*) (?:про |о )?(?:вс[её]|то|об? вс[её]м),? (?:что|о "
        r"ч[её]м)[^\n.!?]{0,40}?(?:говори\w+|сказа\w+|просил\w*|учил\w*|было)|(?:останови|прекрати|брось|"
        r"прерви)\w* (?:перевод\w*|задан\w+|работ\w+|анализ)[^\n.!?]{0,20}? и (?:напиши|скажи|пиши|ответь)|"
        r"забудь\w* вс[её],? что тебе|забудь\w*,? (?:о том, |о чем|про то, |то, )?(?:что|о чем) (?:тебя|тебе|ты|"
        r"вас)|забудь\w* (?:о )?(?:сво[еёю]\w* )?(?:задани\w+|задач\w+)",
        r"(?:отвечай|ответь|пиши|напиши|говори|скажи) (?:только|лишь|исключительно)\b|отвечай только",
        r"(?:с этого момента|отныне|теперь) (?:ты|вы)\b|(?:сыграй|играй|представь|изобрази|"
        r"притворись)\w*[^\n.!?]{0,40}?(?:\bии\b|искусственн\w+ интеллект\w*|ассистент\w*|нейросет\w*)",
        r"(?:никогда не отказыва\w+|не отказыва\w+ ни|даже если (?:это )?незаконн\w+|отвечает на (?:вс[её]|"
        r"любые))|отвеча\w+ на (?:любой|любые|вс[её]|каждый)",
        r"(?:вс[её]|то|инструкции|слова|текст|правила),? (?:что|которые|который) [^\n.!?]{0,40}?(?:до этого "
        r"(?:сообщения|момента)|перед этим|в начале|до меня)|(?:текст|сообщение|правила|инструкции|вс[её]),? "
        r"(?:котор\w+ |что )?(?:ты|вам|тебе)[^\n.!?]{0,20}?(?:получил\w*|дали|сказали|написали)|до (?:моего "
        r"первого|этого|моего) сообщени\w+|до этого сообщения",
        r"(?:дословно|слово в слово|буквально|без изменений)",
    ),
    Wording(
        "uk",
        r"(?:забудь\w*|ігноруй\w*) (?:про )?(?:все|те),? що[^\n.!?]{0,40}?(?:казали|сказа\w+|говорили|просили)",
        r"(?:відповідай|відповідь|напиши|пиши|скажи) (?:тільки|лише|виключно)\b",
        r"(?:відтепер|з цього моменту) ти\b",
        r"(?:ніколи не відмовля\w+|навіть якщо (?:це )?незаконн\w+)",
        r"(?:все|інструкції|слова|текст),? (?:що|які|який) [^\n.!?]{0,40}?(?:до цього повідомлення|перед цим|на "
        r"початку)",
        r"(?:дослівно|слово в слово)",
    ),
    Wording(
        "cs",
        r"(?:zapome\w+|ignoruj\w*)[^\n.!?]{0,40}?(?:vse|vsechno),? co[^\n.!?]{0,40}?(?:rekl\w*|rik\w+|chtel\w*)",
        r"(?:odpovidej|odpovez|napis|rekni) (?:jen|pouze|jenom|vyhradne)\b",
        r"(?:od ted|od teto chvile) jsi\b",
        r"(?:nikdy neodmit\w+|i kdyz je to nezakonne)",
        r"(?:vse|vsechno|pokyny|slova),? (?:co|ktere) [^\n.!?]{0,40}?(?:pred touto|na zacatku|dostal\w*)",
        r"(?:slovo od slova|doslova|doslovne)",
    ),
    Wording(
        "sv",
        r"(?:glom|ignorera) (?:allt|det)(?: som)? [^\n.!?]{0,40}?(?:fatt veta|sagt|sagts|lart|hort|bett|tidigare)",
        r"(?:svara|skriv|sag) (?:bara|endast|enbart)\b",
        r"(?:fran och med nu|hadanefter) (?:ar du|heter du|svarar du som)\b",
        r"(?:vagra\w* aldrig|aven om det ar olagligt|svara\w* pa allt)",
        r"(?:allt|orden|instruktionerna|det) (?:som )?[^\n.!?]{0,40}?(?:fore det har|i borjan|ovanfor den har)",
        r"(?:ord for ord|ordagrant)",
    ),
    Wording(
        "tr",
        r"(?:onceki|daha once|simdiye kadar|sana)[^\n.!?]{0,30}?(?:soylenen|verilen|ogretilen|"
        r"istenen)[^\n.!?]{0,30}?(?:unut\w*|yok say\w*|gormezden)",
        r"(?:sadece|yalnizca)[^\n.!?]{0,30}?(?:yaz|cevap ver|de|soyle|yanitla)\b",
        r"(?:bundan sonra|su andan itibaren|artik) (?:sen|senin adin|bir)\b",
        r"(?:asla reddetme\w*|yasa ?disi olsa bile|her seye cevap)|her (?:soruya|istege) cevap",
        r"(?:ilk|baslangicta|sana verilen|bu mesajdan once\w*)[^\n.!?]{0,30}?(?:talimat\w*|yazilan\w*|soylenen\w*|"
        r"her sey\w*)|(?:ilk mesajimdan|mesajimdan|bu sohbetten) once[^\n.!?]{0,16}?(?:aldigin|verilen|yazilan)|"
        r"aldigin metn\w*",
        r"(?:kelimesi kelimesine|harfi harfine|aynen|oldugu gibi)",
    ),
    Wording(
        "ar",
        r"(?:تجاهل|انس|انسى) (?:كل )?(?:ما|كل شيء)[^\n.!?]{0,30}?(?:قيل|طلب|أخبر|قلت|سابقا|تعلمت)",
        r"(?:أجب|اجب|اكتب|قل)[^\n.!?]{0,10}?(?:فقط|لا غير)",
        r"(?:من الآن فصاعدا|من الان|ابتداء من الآن)[^\n.!?]{0,10}?(?:أنت|انت|ستكون|اسمك)|(?:العب دور|تقمص|"
        r"تظاهر)[^\n.!?]{0,40}?(?:ذكاء|مساعد|نموذج)",
        r"(?:لا ترفض|ولا يرفض|حتى لو كان غير قانوني|تجيب على كل)|(?:يجيب|تجيب|أجب) (?:على|عن) (?:كل|أي)",
        r"(?:كل ما|كل شيء|ما)[^\n.!?]{0,30}?(?:قبل هذه|قبل هذا|في بداية|أعلاه هذه)|(?:النص|التعليمات|"
        r"الكلام)[^\n.!?]{0,16}?(?:تلقيت\w*|استلمت\w*|أعطيت\w*)|قبل رسالتي",
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
        r"(?:忘记|忘掉|忘了|忽略|不要管|别管|不用管|无视|抛开)[^\n。！？]{0,18}?(?:之前|以前|先前|前面|"
        r"上面)[^\n。！？]{0,12}?(?:所有|一切|全部|要求|说过|告诉|任务|内容|的话|指令)|(?:忘记|忘掉|忘了|忽略|"
        r"无视)[^\n。！？]{0,6}?(?:所有|一切|全部)[^\n。！？]{0,12}?(?:要求|说过|告诉|任务|内容)|(?:停止|不要再|"
        r"别再|中止)(?:翻译|翻譯|总结|回答|分析|任务)[^\n。！？]{0,10}?(?:写|说|输出|回复|回答)|(?:别管|不管|"
        r"不用管|忘记|忘掉)(?:让|叫|要)?你(?:做|的任务|被要求)",
        r"(?:只|仅|僅)(?:需|要|能|可以|准|許)?(?:回答|回复|回覆|输出|說|说|写)[^\n。！？]{0,4}?[\"'「『“]",
        r"(?:从现在起|从现在开始|從現在起|現在起|从此刻起)[^\n。！？]{0,6}?(?:你是|你叫|你的名字|你将|扮演)|"
        r"(?:请扮演|扮演|假装你是|模拟)[^\n。！？]{0,30}?(?:AI|人工智能|助手|机器人)",
        r"(?:绝不拒绝|从不拒绝|不会拒绝|不得拒绝|即使违法|即使是违法|有问必答|任何请求)|(?:回答|解答)(?:任何|所有|"
        r"一切)[^\n。！？]{0,6}?(?:问题|违法|请求)",
        r"(?:这句话|這句話|此消息|这条消息|本消息|这一行|我的第一)[^\n。！？]{0,4}?(?:之前|以前|以上|"
        r"前面)[^\n。！？]{0,8}?(?:所有|全部|内容|文字|一切)|(?:一开始|最开始|对话开始)[^\n。！？]{0,12}?(?:收到|"
        r"给你|告诉你)|(?:对话|聊天|会话)(?:开始)?(?:之前|以前|前)[^\n。！？]{0,10}?(?:收到|文字|内容|指令)|"
        r"你(?:在[^\n。！？]{0,10}?)?收到的(?:文字|内容|指令|所有)",
        r"(?:逐字|原封不动|一字不差|一字不漏|原样|照原文)",
    ),
    Wording(
        "ja",
        r"(?:これまで|今まで|以前|前)[^\n。！？]{0,10}?(?:指示|命令|言われた|話|会話|"
        r"内容)[^\n。！？]{0,12}?(?:忘れ|無視|破棄|なかったこと)|(?:翻訳|要約|回答|作業|タスク)(?:を|"
        r"は)?(?:やめて|中止して|止めて)[^\n。！？]{0,20}?(?:書|言|答|出力)|(?:言われた|頼まれた|"
        r"指示された)こと(?:は|を)?(?:全部|すべて)?(?:忘れ|無視)",
        r"[」』\"'][^\n。！？]{0,3}?(?:とだけ|だけを?|のみ)[^\n。！？]{0,4}?(?:答え|言っ|出力|返|書)",
        r"(?:これから|今から|今後)(?:は)?[、,]?(?:あなたは|君は|お前は)[^\n。！？]{0,20}?(?:です|だ|になり|"
        r"として)|あなたは(?:今から|これから)[^\n。！？]{0,40}?(?:AI|ＡＩ|人工知能)",
        r"(?:決して断ら|絶対に断ら|拒否しない|拒否せず|違法でも|何でも答え)|どんな[^\n。！？]{0,12}?(?:質問|"
        r"依頼)にも(?:答え|応じ)",
        r"(?:このメッセージ|この文|この行|この発言|私の最初の)[^\n。！？]{0,4}?(?:より前|より上|の前|以前)|"
        r"(?:会話の最初|冒頭)[^\n。！？]{0,12}?(?:書か|言わ|与え|指示)|(?:最初に|初めに|会話の前に|"
        r"開始前に)[^\n。！？]{0,6}?(?:与えられ|受け取|渡され|書かれ)",
        r"(?:そのまま|一字一句|全文を|原文のまま|文字通り)",
    ),
    Wording(
        "ko",
        r"(?:지금까지|이전|앞)[^\n.!?]{0,10}?(?:지시|명령|말|내용|대화)[^\n.!?]{0,12}?(?:무시|잊)|(?:번역|요약|"
        r"작업|답변)[^\n.!?]{0,4}?(?:멈추고|그만두고|중단하고)[^\n.!?]{0,20}?(?:써|말해|출력|답)|(?:시킨|하라던|"
        r"부탁한) (?:일|것)[은을]? ?(?:다 |모두 )?(?:잊|무시)",
        r"(?:라고만|이라고만|만)[^\n.!?]{0,4}?(?:대답|답해|말해|출력|써)",
        r"(?:이제부터|지금부터)[^\n.!?]{0,4}?(?:너는|당신은|넌)|(?:너는|당신은|넌) (?:이제|"
        r"지금부터)[^\n.!?]{0,40}?(?:AI|인공지능)",
        r"(?:절대 거절하지|거부하지 (?:마|않)|불법이라도|무엇이든 대답)|(?:모든|어떤|"
        r"불법적인)[^\n.!?]{0,8}?질문[^\n.!?]{0,10}?(?:답|대답)",
        r"(?:이 메시지|이 문장|이 줄|내 첫)[^\n.!?]{0,4}?(?:이전|앞|위)|(?:대화 (?:시작|"
        r"처음))[^\n.!?]{0,12}?(?:받은|들은|지시)|(?:대화|채팅) (?:전|시작 전|이전)에[^\n.!?]{0,6}?(?:받은|주어진)",
        r"(?:그대로|한 글자도|토씨 하나|글자 그대로)",
    ),
    Wording(
        "vi",
        r"(?:quen|bo qua)[^\n.!?]{0,40}?(?:tat ca|het|moi)[^\n.!?]{0,40}?(?:duoc (?:noi|bao|yeu cau)|da noi|truoc "
        r"day|truoc do)",
        r"(?:chi|duy nhat) (?:tra loi|noi|viet|in ra)\b",
        r"(?:tu bay gio|ke tu bay gio|tu gio),? ban (?:la|se|ten)\b",
        r"(?:khong bao gio tu choi|ke ca (?:khi )?bat hop phap|tra loi (?:moi|tat ca))",
        r"(?:tat ca|moi|nhung) [^\n.!?]{0,40}?(?:truoc tin nhan nay|truoc cau nay|luc dau|ban dau duoc)",
        r"(?:tung chu|nguyen van|y nguyen)",
    ),
    Wording(
        "id",
        r"(?:lupakan|abaikan) (?:semua|segala) [^\n.!?]{0,40}?(?:yang (?:tadi|sudah|dikatakan|diberikan)|tadi|"
        r"dikatakan|disuruh)",
        r"(?:jawab|tulis|katakan|balas) (?:hanya|cuma|saja)\b",
        r"(?:mulai sekarang|sejak sekarang),? (?:kamu|anda)(?: adalah| bernama)?\b",
        r"(?:tidak pernah menolak|jangan pernah menolak|walaupun ilegal|menjawab semua)",
        r"(?:semua|segala|kata|instruksi) [^\n.!?]{0,40}?(?:sebelum pesan ini|di awal|sebelum kalimat ini)",
        r"(?:kata demi kata|persis|apa adanya|kata per kata)",
    ),
)

_WIDTHS = {"zh": 3, "ja": 3, "ko": 3, "hi": 3, "ru": 2, "uk": 2, "ar": 2}
"""Bytes per letter, where they are more than one: gaps are written in letters and matched in bytes."""
MAX_GAP = 120
_GAP = re.compile(r"\{0,(\d+)\}")
_KINDS = (
    ("told_is_dropped", "hijack", 0.6, "told"),
    ("only_these_words", "hijack", 0.22, "only"),
    ("answers_as", "jailbreak", 0.26, "persona"),
    ("complies_with_all", "jailbreak", 0.45, "complies"),
    ("given_before", "extraction", 0.5, "given"),
    ("verbatim", "extraction", 0.28, "verbatim"),
)


def plain_intents() -> Iterator[tuple[str, str, float, str]]:
    """(name, family, weight, pattern) of every language's wordings."""
    for row in WORDINGS:
        for name, family, weight, field in _KINDS:
            yield f"{name}_{row.code}", family, weight, widened(getattr(row, field), row.code)


def widened(pattern: str, code: str) -> str:
    """The pattern of a language with gaps counted in letters, for matching in bytes."""
    width = _WIDTHS.get(code, 1)
    return _GAP.sub(lambda gap: f"{{0,{min(MAX_GAP, int(gap[1]) * width)}}}", pattern)
