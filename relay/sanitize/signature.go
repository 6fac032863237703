package sanitize

import "strings"

// programsLine reports whether a line, in lower case, is the signature that a
// mail program gives itself: "Sent from my iPhone".
func programsLine(line string) bool {
	for _, s := range programStarts {
		if strings.HasPrefix(line, s) {
			return true
		}
	}
	if !strings.ContainsAny(line, "@＠") && len(line) > 200 {
		return false
	}
	for _, s := range programWords {
		if strings.Contains(line, s) {
			return true
		}
	}
	return false
}

// programStarts are how such lines begin, by language of the program.
var programStarts = strings.Split("sent from|sent with|sent via|sent by|sent using|get outlook for|get bluemail for|"+
	"gesendet von|gesendet vom|gesendet mit|gesendet über|von meinem|von unterwegs gesendet|sicherer e-mail-versand|holen sie sich outlook|"+
	"envoyé de|envoyé depuis|envoyé avec|envoyé via|envoyé par|envoyé à partir|obtenir outlook|télécharger outlook|"+
	"inviato da|inviato con|inviato dal|scarica outlook|ottieni outlook|enviado desde|enviado con|enviado a través|obtener outlook|enviado do|enviado de|enviado com|enviado pelo|enviado via|obter o outlook|"+
	"verzonden vanaf|verzonden vanuit|verstuurd vanaf|verstuurd vanuit|verzonden met|outlook voor|outlook downloaden|sendt fra|sendt med|hent outlook|skickat från|skickat med|hämta outlook|"+
	"lähetetty|hanki outlook|wysłane z|wysłano z|wysłane za pomocą|pobierz program outlook|отправлено с|отправлено из|отправлено через|надіслано з|надіслано через|изпратено от|пратено от|"+
	"odesláno z|odoslané z|poslano s|poslano z|trimis de pe|trimis din|στάλθηκε από|εστάλη από|enviat des|bidalia|saadetud|nosūtīts no|išsiųsta iš|послато са|sent fra|"+
	"發自|发自|來自我的|从我的|從我的|ส่งจาก|đã gửi từ|được gửi từ|gửi từ|dikirim dari|נשלח מ|أرسلت من|تم الإرسال من|ارسال شده از|मेरे", "|")

// programWords are what such lines hold where the language puts the verb last.
var programWords = []string{
	"iphone’umdan gönderildi", "iphone'umdan gönderildi", "ipad’imden gönderildi", "telefonumdan gönderildi", "cihazımdan gönderildi", "uygulamasından gönderildi", "hesabından gönderildi",
	"-ról küldve", "-ről küldve", "készülékről küldve", "에서 보냄", "에서 보냈", "에서 보내드립니다", "から送信", "より送信", "傳送自", "iphone傳送", "से भेजा गया",
}
