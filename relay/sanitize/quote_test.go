package sanitize

import (
	"strings"
	"testing"
)

// whatIsNew returns the lines that count as new, joined by "|".
func whatIsNew(s string) string {
	var out []string
	for _, l := range classify(s) {
		if t := strings.TrimSpace(s[l.start:l.end]); l.kind == lineNew && t != "" {
			out = append(out, t)
		}
	}
	return strings.Join(out, "|")
}

func TestClassify(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"all new":                  {"Hello Sam,\n\nthank you: see you at 10:30.\n", "Hello Sam,|thank you: see you at 10:30."},
		"marks only":               {"Yes.\n> Coming?\nBye.", "Yes.|Bye."},
		"inline answers":           {"On 1 Sep 2026, Sam <s@x.example> wrote:\n> One?\nYes.\n> Two?\nNo.", "Yes.|No."},
		"attribution, no marks":    {"Yes.\n\nOn Mon, Aug 31, 2026 Sam Casting <t-1@x.example> wrote:\n\nComing?\nNow?", "Yes."},
		"wrapped attribution":      {"Write to me@x.example\nOn Monday, August 31, 2026 at 4:12 PM, Sam Casting <sam@\nx.example> wrote:\n> q", "Write to me@x.example"},
		"wrapped over three":       {"Yes.\n\nOn Mon, Aug 31, 2026 at 4:12 PM Sam Casting via Backstage\n<\nt-1@x.example> wrote:\n\n> q", "Yes."},
		"outlook":                  {"Yes.\n\n________________________________\nFrom: Sam\nSent: Monday\nTo: Jane\nSubject: x\n\nold", "Yes.|________________________________"},
		"bold labels":              {"Yes.\n*From:* Sam\n*Sent:* Monday\n*To:* Jane\nold", "Yes."},
		"labels with blank lines":  {"Yes.\n\nFrom: Sam\n\nTo: Jane\n\nold", "Yes."},
		"german":                   {"Ja.\n\nVon: Sam\nGesendet: Montag\nAn: Jane\nBetreff: x\nalt", "Ja."},
		"german attribution":       {"Ja.\n\nAm 31.08.2026 um 16:12 schrieb Sam Casting:\n> alt", "Ja."},
		"french":                   {"Oui.\n\nDe : Sam\nEnvoyé : lundi\nÀ : Jane\nObjet : x\nvieux", "Oui."},
		"french attribution":       {"Oui.\n\nLe 31 août 2026 à 16:12, Sam Casting <s@x.example> a écrit :\n\nvieux", "Oui."},
		"spanish attribution":      {"Sí.\n\nEl lun, 31 ago 2026 a las 16:12, Sam (<s@x.example>) escribió:\n\nviejo", "Sí."},
		"italian attribution":      {"Sì.\n\nIl giorno lun 31 ago 2026 alle ore 16:12 Sam <s@x.example> ha scritto:\n\nvecchio", "Sì."},
		"dutch attribution":        {"Ja.\n\nOp 31 aug. 2026 om 16:12 heeft Sam <s@x.example> het volgende geschreven:\n\noud", "Ja."},
		"polish":                   {"Tak.\n\nOd: Sam\nWysłano: poniedziałek\nDo: Jane\nDW x@y.example\nTemat: x\nstare", "Tak."},
		"polish attribution":       {"Tak.\n\npon., 31 sie 2026 o 16:12 Sam <s@x.example> napisał(a):\n\nstare", "Tak."},
		"russian attribution":      {"Да.\n\nпн, 31 авг. 2026 г. в 16:12, Sam <s@x.example>:\n\n> старое", "Да."},
		"russian labels":           {"Да.\n\nОт: Sam\nОтправлено: понедельник\nКому: Jane\nТема: x\nстарое", "Да."},
		"japanese labels":          {"はい。\n\n差出人: Sam\n送信日時: 月曜日\n宛先: Jane\n件名: x\n古い", "はい。"},
		"japanese attribution":     {"はい。\n\n2026年8月31日(月) 16:12 Sam Casting <s@x.example>:\n\n> 古い", "はい。"},
		"chinese labels":           {"好。\n\n发件人：Sam\n发送时间：星期一\n收件人：Jane\n主题：x\n旧", "好。"},
		"chinese attribution":      {"好。\n\nSam <s@x.example> 于2026年8月31日周一 16:12写道：\n\n> 旧", "好。"},
		"korean attribution":       {"네.\n\n2026년 8월 31일 (월) 오후 4:12, Sam <s@x.example>님이 작성:\n\n> 옛", "네."},
		"hebrew attribution":       {"כן\n\n\u200fבתאריך יום ב׳, 31 באוג׳ 2026 ב-16:12 מאת \u202aSam\u202c <s@x.example>:\n\n> ישן", "כן"},
		"arabic labels":            {"نعم\n\nمن: Sam\nالتاريخ: الاثنين\nإلى: Jane\nالموضوع: x\nقديم", "نعم"},
		"turkish attribution":      {"Evet.\n\nSam <s@x.example>, 31 Ağu 2026 Pzt, 16:12 tarihinde şunu yazdı:\n\neski", "Evet."},
		"swedish attribution":      {"Ja.\n\nDen mån 31 aug. 2026 kl 16:12 skrev Sam <s@x.example>:\n\ngammalt", "Ja."},
		"finnish labels":           {"Kyllä.\n\nLähettäjä: Sam\nLähetetty: maanantai\nVastaanottaja: Jane\nAihe: x\nvanha", "Kyllä."},
		"czech attribution":        {"Ano.\n\npo 31. 8. 2026 v 16:12 odesílatel Sam <s@x.example> napsal:\n\nstaré", "Ano."},
		"hungarian attribution":    {"Igen.\n\nSam <s@x.example> ezt írta (időpont: 2026. aug. 31., H, 16:12):\n\nrégi", "Igen."},
		"greek attribution":        {"Ναι.\n\nΣτις Δευ 31 Αυγ 2026 στις 4:12 μ.μ., ο χρήστης Sam <s@x.example> έγραψε:\n\nπαλιό", "Ναι."},
		"vietnamese attribution":   {"Vâng.\n\nVào 16:12, T.2, 31 thg 8, 2026 Sam <s@x.example> đã viết:\n\ncũ", "Vâng."},
		"thai labels":              {"ค่ะ\n\nจาก: Sam\nส่งแล้ว: จันทร์\nถึง: Jane\nเรื่อง: x\nเก่า", "ค่ะ"},
		"separator":                {"Yes.\n-----Original Message-----\nold", "Yes."},
		"separator, translated":    {"Ja.\n-------- Ursprüngliche Nachricht --------\nalt", "Ja."},
		"apple forward":            {"See.\n\nBegin forwarded message:\n\nold", "See."},
		"yahoo, run together":      {"Yes.\n  ----- Forwarded Message ----- From: Sam <s@x.example>To: \"J\" <j@y.example>Sent: MondaySubject: x\nold", "Yes."},
		"zoho":                     {"Yes.\n\n---- On Mon, 31 Aug 2026 16:12:00 +0200 Sam <s@x.example> wrote ----\n\nold", "Yes."},
		"zoho, three dashes":       {"Yes.\n\n---- On Mon, 31 Aug 2026 16:12:00 +0200 Sam <s@x.example> wrote ---\n\nold", "Yes."},
		"names before the marks":   {"  Sam> Coming?\n  JR>> Is it open?\nYes.\nMüller> so?\nx > y is new, <b> too", "Yes.|x > y is new, <b> too"},
		"signature":                {"Yes.\n-- \nJane\nOld Vic", "Yes."},
		"a colon is no quote":      {"My terms:\nTuesday\nWednesday", "My terms:|Tuesday|Wednesday"},
		"numbers and colon":        {"I have 3 questions from 2026:\nOne\nTwo", "I have 3 questions from 2026:|One|Two"},
		"a label in a sentence":    {"Subject: to change, I can come.\nSee you.", "Subject: to change, I can come.|See you."},
		"a dash list":              {"- one\n- two\n--- \nthree", "- one|- two|---|three"},
		"byte order mark":          {"Yes.\n\ufeffOn 31/08/2026, 16:12, \"Sam\" <s@x.example> wrote:\n\nold", "Yes."},
		"no-break spaces in label": {"Oui.\nDe\u00a0: Sam\nÀ\u00a0: Jane\nvieux", "Oui."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := whatIsNew(c.text); got != c.want {
				t.Errorf("new: %q\nwant %q", got, c.want)
			}
		})
	}
}

// FuzzQuote: any text is classified whole, in order.
func FuzzQuote(f *testing.F) {
	f.Add("Yes.\n\nOn Mon, Sam <s@x.example> wrote:\n> old\n")
	f.Add("From: a\nTo: b\n\xff\xfe>>\n--\n")
	f.Fuzz(func(t *testing.T, s string) {
		at := 0
		for _, l := range classify(s) {
			if l.start != at || l.end < l.start {
				t.Fatalf("line %+v does not begin at %d", l, at)
			}
			at = l.end + 1
		}
		if at != len(s)+1 {
			t.Fatalf("ends at %d of %d", at, len(s))
		}
	})
}
