package sanitize

import "testing"

// TestProgramsLines: the line that a mail program puts below a message is
// known in each language; a sentence is not taken for one.
func TestProgramsLines(t *testing.T) {
	for _, line := range []string{
		"Sent from my iPhone", "Sent from the account of jane@x.example", "Sent with Proton Mail secure email.", "Get Outlook for iOS<https://aka.ms/o0ukef>", "Sent via Spark",
		"Von meinem iPhone gesendet", "Gesendet mit der GMX Mail App", "Gesendet vom Konto jane@x.example", "Envoyé de mon iPhone", "Envoyé depuis l'application Mail Orange", "Inviato da iPhone",
		"Enviado desde mi iPhone", "Enviado do meu iPhone", "Enviado de Outlook", "Verstuurd vanaf mijn iPhone", "Verzonden vanuit Outlook", "Skickat från min iPhone", "Sendt fra min iPhone",
		"Lähetetty iPhonesta", "Wysłane z iPhone’a", "Odesláno z iPhonu", "Odoslané z iPhonu", "iPhone-ról küldve", "Trimis de pe iPhone", "Στάλθηκε από το iPhone μου",
		"iPhone’umdan gönderildi", "Отправлено с iPhone", "Отправлено из мобильной Почты Mail", "Надіслано з iPhone", "Изпратено от моя iPhone", "Poslano s mog iPhonea",
		"נשלח מה-iPhone שלי", "أرسلت من الـ iPhone", "iPhoneから送信", "发自我的 iPhone", "從我的iPhone傳送", "나의 iPhone에서 보냄", "ส่งจาก iPhone ของฉัน", "Đã gửi từ iPhone của tôi",
	} {
		if !automaticLine(line) {
			t.Errorf("%q is taken for typed", line)
		}
	}
	for _, line := range []string{
		"I sent you my reel: jane@x.example", "Write to jane@x.example", "E-mail: jane@x.example", "Meine Adresse: jane@x.example", "jane@x.example", "Mi correo es jane@x.example",
		"Je vous l'ai envoyé de nouveau, à jane@x.example", "メールは jane@x.example です", "Адрес jane@x.example",
	} {
		if automaticLine(line) {
			t.Errorf("%q is taken for a program's", line)
		}
	}
}
