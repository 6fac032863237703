package automatic

import (
	"strings"
	"unicode"
)

// normalise makes texts comparable: lower case, one space between words,
// without characters that only format.
func normalise(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Cf, r):
			return -1
		case r == '：': // as CJK keyboards write it
			return ':'
		case r == '’':
			return '\''
		}
		return unicode.ToLower(r)
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// vacationPrefixes begin a subject, before a colon, that a mail system makes by
// itself: Exchange and Outlook in their languages, Gmail, and older programs.
// Nobody writes them: an answer to one begins with Re.
var vacationPrefixes = []string{
	"automatic reply", "auto reply", "auto-reply", "autoreply", "automated reply", "automated response", "auto response", "auto-response", "autoresponse",
	"out of office autoreply", "out of office: autoreply", "vacation reply", // en
	"automatische antwort", "automatische antwort (abwesenheit)", "abwesenheitsnotiz", "abwesenheitsmeldung", "abwesenheitsbenachrichtigung", "abwesenheitsassistent", // de
	"réponse automatique", "réponse d'absence du bureau", "message d'absence", "notification d'absence", // fr
	"respuesta automática", "respuesta automatica", // es
	"risposta automatica",                        // it
	"resposta automática", "resposta automatica", // pt
	"automatisch antwoord", "automatisch beantwoorden", "afwezigheidsbericht", // nl
	"automatiskt svar", "autosvar", "frånvaromeddelande", // sv
	"automatisk svar", "automatisk svarmelding", "fraværsmelding", "fraværsbesked", // da, nb
	"automaattinen vastaus", "poissaoloilmoitus", // fi
	"sjálfvirkt svar",                                  // is
	"automatyczna odpowiedź", "odpowiedź automatyczna", // pl
	"automatická odpověď",                // cs
	"automatická odpoveď",                // sk
	"automatikus válasz",                 // hu
	"răspuns automat", "raspuns automat", // ro
	"automatski odgovor", "automatizirani odgovor", "аутоматски одговор", "samodejni odgovor", // hr, sr, sl
	"automatinis atsakymas", "automātiska atbilde", "automaatvastus", // lt, lv, et
	"автоматический ответ", "автоответ", // ru
	"автоматична відповідь", "автовідповідь", // uk
	"автоматичен отговор",                // bg
	"αυτόματη απάντηση",                  // el
	"otomatik yanıt", "otomatik yanıtla", // tr
	"자동 회신", "자동 응답", // ko
	"自动答复", "自动回复", "自動回覆", "自動回复", // zh
	"自動応答", "自動返信", "不在通知", // ja
	"رد تلقائي",                      // ar
	"תשובה אוטומטית", "מענה אוטומטי", // he
	"پاسخ خودکار",                             // fa
	"स्वचालित उत्तर",                          // hi
	"ตอบกลับอัตโนมัติ", "การตอบกลับอัตโนมัติ", // th
	"trả lời tự động", "thư trả lời tự động", // vi
	"balasan otomatis", "jawaban otomatis", "balasan automatik", // id, ms
}

// vacationSubject reports whether a system made the subject.
func vacationSubject(subject string) bool {
	before, _, colon := strings.Cut(subject, ":")
	before = strings.TrimSpace(strings.Trim(before, "[]【】 "))
	if !colon {
		// Some put nothing behind it, or the old subject in brackets.
		before, _, _ = strings.Cut(strings.TrimLeft(subject, "[【"), "]")
		before, _, _ = strings.Cut(before, "】")
		if before = strings.TrimSpace(before); len(strings.Fields(before)) < 2 && before == subject && isASCII(before) {
			return false // a word alone, such as "Auto", may be what it is about
		}
	}
	for _, p := range vacationPrefixes {
		if before == p {
			return true
		}
	}
	return false
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// awayWords are in the subjects and texts of messages about being away that
// people let a program send. A person writes them too: they count only where
// subject and text agree.
var awayWords = [][2][]string{ // subject, text
	{{"out of office", "out-of-office", "ooo:", "out of the office", "on vacation", "on holiday", "on leave", "annual leave", "away from", "away until", "maternity leave", "parental leave", "i am away", "i'm away"},
		{"i am out of the office", "i'm out of the office", "i will be out of the office", "currently out of", "i am on vacation", "i'm on vacation", "i am on holiday", "i am on leave", "i am currently away", "limited access to", "no access to my", "upon my return", "when i return", "will return on", "back in the office", "will respond to your"}},
	{{"abwesend", "abwesenheit", "im urlaub", "nicht im büro", "außer haus", "nicht erreichbar"},
		{"ich bin", "nicht im büro", "nicht erreichbar", "wieder erreichbar", "ab dem", "nicht weitergeleitet", "im urlaub", "in dringenden fällen"}},
	{{"absence", "absent", "en congé", "en vacances", "hors du bureau"}, {"je suis absent", "je suis en congé", "de retour le", "je serai de retour", "en mon absence", "je suis actuellement"}},
	{{"ausente", "fuera de la oficina", "fuera de oficina", "de vacaciones", "vacaciones", "ausencia"}, {"estoy fuera", "estaré fuera", "estoy de vacaciones", "estaré ausente", "me encuentro fuera", "regreso el", "a mi regreso", "a mi vuelta"}},
	{{"assenza", "assente", "in ferie", "fuori sede", "fuori ufficio"}, {"sono assente", "sarò assente", "sono in ferie", "al mio rientro", "sarò in ufficio", "rientrerò"}},
	{{"ausente", "ausência", "de férias", "fora do escritório"}, {"estou ausente", "estarei ausente", "estou de férias", "estarei de volta", "retornarei", "regresso"}},
	{{"afwezig", "op vakantie", "met vakantie", "niet op kantoor", "niet aanwezig"}, {"ik ben afwezig", "ik ben niet aanwezig", "ik ben met vakantie", "ik ben op vakantie", "weer aanwezig", "tijdens mijn afwezigheid"}},
	{{"frånvaro", "semester", "ledig", "ej på plats"}, {"jag är inte på plats", "jag är ledig", "jag har semester", "jag är på semester", "tillbaka den", "åter den"}},
	{{"fravær", "ferie", "ikke på kontoret", "ikke til stede"}, {"jeg er ikke på kontoret", "jeg holder ferie", "jeg er på ferie", "jeg har ferie", "jeg er tilbage", "jeg er tilbake"}},
	{{"poissa", "lomalla", "loma"}, {"olen lomalla", "olen poissa", "palaan"}},
	{{"nieobecność", "nieobecny", "nieobecna", "urlop", "poza biurem"}, {"jestem nieobecn", "przebywam na urlopie", "jestem na urlopie", "wracam", "będę nieobecn"}},
	{{"nepřítomnost", "dovolená", "mimo kancelář"}, {"nejsem přítom", "jsem na dovolené", "čerpám dovolenou", "vrátím se", "budu zpět"}},
	{{"szabadság", "távollét", "házon kívül"}, {"szabadságon vagyok", "szabadságomat töltöm", "távol vagyok", "visszatérek"}},
	{{"concediu", "absent", "plecat din birou"}, {"sunt în concediu", "sunt in concediu", "voi reveni", "revin în"}},
	{{"отпуск", "отсутств", "в отпуске", "нет на рабочем месте"}, {"я в отпуске", "нахожусь в отпуске", "буду отсутствовать", "вернусь", "меня нет"}},
	{{"відпуст", "відсутн"}, {"я у відпустці", "перебуваю у відпустці", "буду відсутн", "повернусь"}},
	{{"απουσία", "άδεια", "εκτός γραφείου"}, {"είμαι εκτός γραφείου", "βρίσκομαι εκτός", "είμαι σε άδεια", "θα επιστρέψω"}},
	{{"izin", "ofis dışı", "tatil"}, {"izindeyim", "ofis dışındayım", "tatildeyim", "döneceğim", "dönüş tarih"}},
	{{"不在", "休暇", "お休み"}, {"不在にして", "休暇をいただ", "休暇を取得", "不在のため", "お休みをいただ"}},
	{{"外出", "休假", "请假", "請假", "不在办公室", "不在辦公室"}, {"我正在休假", "休假中", "不在办公室", "不在辦公室", "正在度假", "尽快回复", "盡快回覆"}},
	{{"휴가", "부재"}, {"휴가 중", "부재 중", "자리를 비"}},
	{{"إجازة", "خارج المكتب"}, {"أنا خارج المكتب", "أنا في إجازة", "سأعود"}},
	{{"חופשה", "מחוץ למשרד"}, {"אני בחופשה", "אני נמצא בחופשה", "אשוב", "אחזור"}},
}

func contains(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// awaySubject reports whether the subject says of itself that somebody is
// away. One that answers or asks is a person's.
func awaySubject(subject string) bool {
	mark, _, colon := strings.Cut(subject, ":")
	if colon && len(mark) <= 4 || strings.HasSuffix(subject, "?") {
		return false // Re: and its relatives
	}
	for _, l := range awayWords {
		if contains(subject, l[0]) {
			return true
		}
	}
	return false
}

// awayText reports whether two phrases of one language say that somebody is
// away, and nothing asks the reader anything.
func awayText(text string) bool {
	if strings.ContainsAny(text, "?？؟") {
		return false
	}
	for _, l := range awayWords {
		n := 0
		for _, w := range l[1] {
			if strings.Contains(text, w) {
				n++
			}
		}
		if n >= 2 || n == 1 && contains(text, l[0]) {
			return true
		}
	}
	return false
}

// bounceSubjects begin the subjects of delivery reports.
var bounceSubjects = []string{
	"undelivered mail returned", "delivery status", "mail system error", "message undeliverable", "undeliverable", "undeliverable mail", "delivery status notification", "delivery failure", "mail delivery failed", "mail delivery failure",
	"mail delivery system", "failure notice", "returned mail", "delivery notification", "message delivery failure", "non-delivery", "warning: could not send message", "delayed mail",
	"delivery delayed", "nicht zustellbar", "unzustellbar", "zustellung fehlgeschlagen", "non remis", "échec de la remise", "no se puede entregar", "non recapitabile", "niet te bezorgen", "не доставлено", "недоставленное сообщение", "配信不能", "無法傳遞", "无法传递",
}

func bounceSubject(subject string) bool {
	for _, p := range bounceSubjects {
		if strings.HasPrefix(subject, p) {
			return true
		}
	}
	return false
}

var challengeSubjects = []string{
	"please confirm your message", "please confirm your email", "please verify your message", "confirm your message", "your message to", "verification required", "[spam arrest]", "sender verification", "action required: verify",
	"bitte bestätigen sie ihre nachricht", "confirmez votre message", "confirme su mensaje", "confirme sua mensagem", "confirmação de envio", "antispam uol",
}

func challengeSubject(subject string) bool {
	for _, p := range challengeSubjects {
		if strings.HasPrefix(subject, p) {
			return true
		}
	}
	return false
}

// challengeText reports whether a program asks to prove that a person wrote.
func challengeText(text string) bool {
	return contains(text, []string{"http://", "https://", "reply to this"}) && contains(text, []string{
		"held until", "has not been delivered", "not yet been delivered", "prove that you", "verify that you", "verify yourself", "confirm that you", "captcha", "approved senders", "unsolicited",
		"wurde noch nicht zugestellt", "n'a pas encore été", "no ha sido entregado", "ainda não foi entregue",
	})
}
