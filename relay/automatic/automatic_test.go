package automatic

import (
	"errors"
	"mime"
	"net/mail"
	"strings"
	"testing"
)

// message makes a Message of a header and a text. A person's mail has a
// reverse-path.
func message(path, header, text string) Message {
	fields := map[string]string{}
	for line := range strings.Lines(header) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\n"), ":"); ok && fields[strings.ToLower(name)] == "" {
			var w mime.WordDecoder
			if d, err := w.DecodeHeader(strings.TrimSpace(value)); err == nil {
				value = d
			}
			fields[strings.ToLower(name)] = strings.TrimSpace(value)
		}
	}
	return Message{ReversePath: path, Field: func(name string) string { return fields[strings.ToLower(name)] }, Text: func() (string, error) { return text, nil }}
}

const somebody = "jane@mail.example"

func TestRecognise(t *testing.T) {
	for _, c := range []struct {
		name         string
		path         string
		header, text string
		want         Kind
	}{
		// RFC 3834 and what came before it
		{"vacation of RFC 5230", "", "Auto-Submitted: auto-replied (vacation)\nSubject: Re: Callback", "", OutOfOffice},
		{"auto-replied", somebody, "Auto-Submitted: auto-replied\nSubject: Re: Callback", "", OutOfOffice},
		{"auto-generated", somebody, "Auto-Submitted: auto-generated\nSubject: Your bill", "", Other},
		{"auto-notified with a parameter", somebody, "Auto-Submitted: auto-notified; owner-email=x\nSubject: x", "", Other},
		{"an unknown keyword", somebody, "Auto-Submitted: auto-x-robot", "", Other},
		{"said to be no", somebody, "Auto-Submitted: no\nSubject: Re: Callback", "", Person},
		{"no, with a comment", somebody, "Auto-Submitted: no (really)\nSubject: Re: Callback", "", Person},
		{"Precedence", somebody, "Precedence: auto_reply", "", OutOfOffice},
		{"bulk", somebody, "Precedence: bulk\nSubject: News", "", List},
		{"bulk vacation", somebody, "Precedence: bulk\nSubject: Out of office", "", OutOfOffice},
		{"first-class", somebody, "Precedence: first-class\nSubject: Re: Callback", "", Person},
		{"X-Autoreply", somebody, "X-Autoreply: yes", "", OutOfOffice},
		{"X-Autorespond", somebody, "X-Autorespond: 1", "", OutOfOffice},
		{"X-Autoreply: no", somebody, "X-Autoreply: no\nSubject: x", "", Person},
		{"Exchange", somebody, "X-Auto-Response-Suppress: All\nSubject: Automatic reply: Callback", "", OutOfOffice},
		{"Exchange, another rule", somebody, "X-Auto-Response-Suppress: DR, OOF, AutoReply\nSubject: Your ticket", "", Other},
		{"null reverse-path", "", "Subject: Re: Callback", "", Other},
		{"null reverse-path, away", "", "Subject: Im Urlaub", "", OutOfOffice},
		// Lists
		{"a list", somebody, "List-Id: <actors.example>\nSubject: x", "", List},
		{"a client that offers to unsubscribe", somebody, "List-Unsubscribe: <mailto:x@y>\nSubject: Re: Callback", "", Person},
		// Reports
		{"a delivery report", "", "Content-Type: multipart/report; report-type=delivery-status; boundary=b", "", Delivery},
		{"a report that can't be parsed", "", "Content-Type: multipart/report; report-type=; boundary", "", Delivery},
		{"a read receipt", somebody, "Content-Type: multipart/report; report-type=\"disposition-notification\"; boundary=b", "", Disposition},
		{"a complaint", somebody, "Content-Type: multipart/report; report-type=feedback-report; boundary=b", "", Complaint},
		{"Exim", "", "X-Failed-Recipients: x@y\nSubject: Mail delivery failed: returning message to sender", "", Delivery},
		{"qmail", "", "From: MAILER-DAEMON@x.example\nSubject: failure notice", "", Delivery},
		{"a daemon with a reverse-path", "bounces@x.example", "From: Mail Delivery System <Mailer-Daemon@x.example>\nSubject: Hello", "", Delivery},
		{"null reverse-path, failure", "", "Subject: Undeliverable: Callback", "", Delivery},
		// Calendars
		{"an answer to an invitation", somebody, "Content-Type: text/calendar; method=REPLY; charset=utf-8\nSubject: Accepted: Rehearsal", "", Calendar},
		{"an invitation", somebody, "Content-Type: text/calendar; method=REQUEST", "", Person},
		{"accepted, with a word", somebody, "Content-Type: multipart/alternative; boundary=b\nSubject: Accepted: Rehearsal", "See you!", Person},
		// Challenges
		{"TMDA", somebody, "X-TMDA-Fingerprint: x\nSubject: Please confirm your message", "", Challenge},
		{"a challenge that says so", somebody, "Auto-Submitted: auto-replied\nSubject: Please confirm your message", "", Challenge},
		{"a challenge by wording", somebody, "Subject: Please confirm your message", "Your message has not been delivered yet. Open https://x.example/ to prove that you are human.", Challenge},
		{"a person confirms", somebody, "Subject: Please confirm your message", "Did you mean Tuesday?", Person},
		// Persons
		{"away, and a question", somebody, "Subject: Out of office", "I am out of the office on Monday, can we meet on Tuesday?", Person},
		{"away in the text only", somebody, "Subject: Callback", "I am out of the office on Monday and back in the office on Tuesday.", Person},
		{"away in the subject only", somebody, "Subject: On vacation next week", "See the attached list of rooms.", Person},
		{"an answer to an automatic reply", somebody, "Subject: Re: Automatic reply: Callback", "Then next week.", Person},
		{"a forwarded one", somebody, "Subject: Fwd: Out of office", "I am out of the office. I will return on Monday.", Person},
		{"a car", somebody, "Subject: Auto: wer fährt?", "Ich bin dabei.", Person},
		{"a room", somebody, "Subject: Fuori sede: cambio sala prove", "La prova di martedì si tiene al teatro.", Person},
		{"a long letter", somebody, "Subject: Out of office", "I am out of the office. I will return on Monday. " + strings.Repeat("And then this. ", 300), Person},
		{"nothing at all", somebody, "", "", Person},
		{"one word", somebody, "Subject: autoresponse", "What shall ours say?", Person},
	} {
		got, err := Recognise(message(c.path, c.header, c.text))
		if err != nil || got.Kind != c.want || (got.Why == "") != (c.want == Person) {
			t.Errorf("%s: %q because of %q, %v; want %q", c.name, got.Kind, got.Why, err, c.want)
		}
	}
}

// What systems call a vacation notice where they set no field, by language.
func TestVacationSubjects(t *testing.T) {
	for language, subject := range map[string]string{
		"en": "Automatic reply: Callback", "en 2": "Out of Office AutoReply: Callback", "de": "Automatische Antwort: Callback", "de 2": "Abwesenheitsnotiz: Callback",
		"fr": "Réponse automatique : Callback", "es": "Respuesta automática: Callback", "it": "Risposta automatica: Callback", "pt": "Resposta automática: Callback",
		"nl": "Automatisch antwoord: Callback", "sv": "Automatiskt svar: Callback", "da": "Automatisk svar: Callback", "fi": "Automaattinen vastaus: Callback",
		"pl": "Automatyczna odpowiedź: Callback", "cs": "Automatická odpověď: Callback", "sk": "Automatická odpoveď: Callback", "hu": "Automatikus válasz: Callback",
		"ro": "Răspuns automat: Callback", "hr": "Automatski odgovor: Callback", "ru": "Автоматический ответ: Callback", "uk": "Автоматична відповідь: Callback",
		"bg": "Автоматичен отговор: Callback", "el": "Αυτόματη απάντηση: Callback", "tr": "Otomatik yanıt: Callback", "ja": "自動応答：Callback", "ja 2": "不在通知: Callback",
		"zh": "自动答复: Callback", "zh-TW": "自動回覆: Callback", "zh 2": "[自动回复] Callback", "ko": "자동 회신: Callback", "ar": "رد تلقائي: Callback", "he": "תשובה אוטומטית: Callback",
		"th": "ตอบกลับอัตโนมัติ: Callback", "vi": "Trả lời tự động: Callback", "id": "Balasan Otomatis: Callback",
	} {
		if got, err := Recognise(message(somebody, "Subject: "+subject, "")); err != nil || got.Kind != OutOfOffice {
			t.Errorf("%s: %q is %q, %v", language, subject, got.Kind, err)
		}
		if got, _ := Recognise(message(somebody, "Subject: Re: "+subject, "Thanks.")); got.Kind != Person {
			t.Errorf("%s: an answer to it is %q", language, got.Kind)
		}
	}
}

// What people let a program say, where subject and text agree.
func TestAway(t *testing.T) {
	for language, c := range map[string][2]string{
		"en": {"Out of office until Monday", "I am currently out of the office with limited access to my mail. I will respond to your message upon my return."},
		"de": {"Abwesend bis 3. Juni", "Vielen Dank für Ihre Nachricht. Ich bin bis 3. Juni nicht im Büro. In dringenden Fällen wenden Sie sich an die Zentrale."},
		"fr": {"Absence", "Bonjour, je suis absente. Je serai de retour le 3 juin."},
		"es": {"Ausente de la oficina", "Estoy de vacaciones. Responderé a mi regreso."},
		"it": {"In ferie", "Sono in ferie; risponderò al mio rientro."},
		"pt": {"Ausente", "Estou ausente. Estarei de volta em junho."},
		"nl": {"Afwezig", "Ik ben afwezig en lees uw bericht later."},
		"sv": {"Semester", "Jag har semester och är tillbaka den 3 juni."},
		"da": {"Ferie", "Jeg holder ferie og er tilbage i juni."},
		"fi": {"Lomalla", "Olen lomalla. Palaan kesäkuussa."},
		"pl": {"Nieobecność", "Jestem nieobecny w biurze. Wracam w czerwcu."},
		"cs": {"Dovolená", "Jsem na dovolené. Vrátím se v červnu."},
		"hu": {"Szabadság", "Szabadságon vagyok júniusig."},
		"ro": {"Concediu", "Sunt în concediu. Voi reveni în iunie."},
		"ru": {"Отпуск", "Я в отпуске до июня. Вернусь третьего."},
		"uk": {"Відпустка", "Я у відпустці до червня."},
		"el": {"Εκτός γραφείου", "Είμαι εκτός γραφείου έως τον Ιούνιο."},
		"tr": {"İzin", "Haziran'a kadar izindeyim."},
		"ja": {"休暇のお知らせ", "6月3日まで休暇をいただいております。"},
		"zh": {"休假通知", "我正在休假，将于六月三日返回。"},
		"ko": {"휴가 안내", "6월 3일까지 휴가 중입니다."},
		"ar": {"إجازة", "أنا في إجازة حتى يونيو."},
		"he": {"חופשה", "אני בחופשה עד יוני."},
	} {
		if got, err := Recognise(message(somebody, "Subject: "+c[0], c[1])); err != nil || got.Kind != OutOfOffice {
			t.Errorf("%s: %q, %v", language, got.Kind, err)
		}
		if got, _ := Recognise(message(somebody, "Subject: Callback", c[1])); got.Kind != Person {
			t.Errorf("%s: under another subject it is %q", language, got.Kind)
		}
		if got, _ := Recognise(message(somebody, "Subject: "+c[0], c[1]+" Tuesday?")); got.Kind != Person {
			t.Errorf("%s: with a question it is %q", language, got.Kind)
		}
	}
}

// The text is read only where it matters, and what can't be read is an error.
func TestTextIsReadOnlyWhereItMatters(t *testing.T) {
	broken := errors.New("can't be read")
	read := 0
	for header, want := range map[string]int{"Subject: Re: Callback": 0, "Auto-Submitted: auto-replied\nSubject: Out of office": 0, "Subject: Out of office": 1} {
		read = 0
		m := message(somebody, header, "")
		m.Text = func() (string, error) { read++; return "", broken }
		_, err := Recognise(m)
		if read != want || (want == 1) != errors.Is(err, broken) {
			t.Errorf("%q: read %d times, %v", header, read, err)
		}
	}
}

func FuzzRecognise(f *testing.F) {
	f.Add("", "Subject: Out of office\nAuto-Submitted: auto-replied (x\nContent-Type: multipart/report;;", "I am away")
	f.Add("x@y", "Subject: =?utf-8?q?[=E8=87=AA=E5=8A=A8?=", "\xff")
	f.Fuzz(func(t *testing.T, path, header, text string) {
		got, err := Recognise(message(path, header, text))
		if err != nil || (got.Kind == Person) != (got.Why == "") {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func BenchmarkPerson(b *testing.B) {
	msg, err := mail.ReadMessage(strings.NewReader("From: Jane <jane@mail.example>\nSubject: Re: Callback for Ophelia\nContent-Type: text/plain; charset=utf-8\n\nYes.\n"))
	if err != nil {
		b.Fatal(err)
	}
	m := Message{ReversePath: somebody, Field: msg.Header.Get, Text: func() (string, error) { return "", nil }}
	b.ReportAllocs()
	for b.Loop() {
		if v, err := Recognise(m); err != nil || v.Kind != Person {
			b.Fatal(v, err)
		}
	}
}
