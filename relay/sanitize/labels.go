package sanitize

import "strings"

// What a label of a quoted header block names.
type labelKind uint8

const (
	labelFrom labelKind = 1 << iota
	labelSent
	labelTo
	labelCc
	labelSubject
	labelOther
)

// labels are the words before the colon in quoted header blocks, by language
// of the mail program: lower case, apart by '|'.
var labels = func() map[string]labelKind {
	m := map[string]labelKind{}
	for kind, list := range map[labelKind]string{
		labelFrom: "from|von|de|expéditeur|da|mittente|van|fra|från|od|šalje|od koho|nadawca|от|от кого|отправитель|від|від кого|од|од кого|" +
			"lähettäjä|saatja|kellelt|igorlea|από|feladó|dari|kas|no|nuo|de la|expeditorul|gönderen|kimden|từ|จาก|מאת|من|مِن|فرستنده|प्रेषक|" +
			"差出人|送信元|送信者|发件人|寄件者|寄件人|從|보낸 사람|보낸사람|remitente|afsender|avsändare|avsender|frá|nga|pošiljatelj",
		labelSent: "sent|date|sent at|gesendet|datum|datum/zeit|envoyé|date d'envoi|le|inviato|data|verzonden|sendt|dato|skickat|sänt|poslano|odesláno|odoslané|dátum|wysłano|" +
			"enviado|enviada em|enviado el|enviada|fecha|enviat el|trimis|trimis la|dată|изпратено|дата|отправлено|надіслано|відправлено|послато|датум|" +
			"lähetetty|päivämäärä|päiväys|saadetud|kuupäev|αποστολή|στάλθηκε|ημερομηνία|elküldve|küldve|tanggal|dikirim|nosūtīts|datums|išsiųsta|" +
			"gönderilen|gönderildi|gönderilme|gönderme tarihi|tarih|đã gửi|ngày|ส่งแล้ว|ส่ง|วันที่|נשלח|תאריך|التاريخ|المُرسل|تاريخ الإرسال|दिनांक|" +
			"送信日時|送信日|日付|日時|日期|发送时间|寄件日期|寄送日期|보낸 날짜|날짜|sendt den",
		labelTo: "to|an|à|a|pour|destinataire|destinataires|per|per a|al|aan|til|till|za|prima|komu|pre|do|adresat|para|destinatario|destinatários|către|destinatarul|la|до|кому|коме|" +
			"vastaanottaja|saaja|kellele|hartzailea|προς|címzett|kepada|untuk|kam|alıcı|kime|tới|đến|ถึง|אל|إلى|گیرنده|प्रति|" +
			"宛先|送信先|收件人|收件者|至|받는 사람|받는사람|modtager|mottagare|mottaker",
		labelCc: "cc|bcc|kopie|kopie (cc)|kopi|kopia|kópia|kópie|kopija|kp|копие|копия|копія|копија|як|copie à|copie|copia|copia a|dw|kk|bilgi|kopio|koopia|κοιν|κοιν.|másolat|másolatot kap|" +
			"抄送|副本|참조|สำเนา|עותק|نسخة إلى|نسخة كربونية|tembusan|afrit",
		labelSubject: "subject|betreff|objet|sujet|oggetto|onderwerp|emne|ämne|předmět|predmet|naslov|zadeva|temat|assunto|asunto|assumpte|subiect|subiectul|тема|наслов|" +
			"aihe|teema|gaia|θέμα|tárgy|subjek|perihal|temats|tema|konu|chủ đề|เรื่อง|หัวเรื่อง|נושא|הנדון|الموضوع|موضوع|विषय|件名|主题|主題|主旨|제목|efni|lënda",
		labelOther: "reply-to|reply to|répondre à|risposta|rispondi a|antwort an|beantwoorden - aan|responder a|importance|wichtigkeit|importanza|sent by|on behalf of|attachments|anlagen|organization|" +
			"envelope-to|delivered-to|return-path|resent-from|message-id|newsgroups",
	} {
		for l := range strings.SplitSeq(list, "|") {
			m[l] |= kind
		}
	}
	return m
}()

// Separators stand between dashes (or alone, for Apple Mail) above what is
// quoted: "-----Original Message-----".
var separators = strings.Split("original message|forwarded message|forwarded mail|reply message|original-nachricht|originalnachricht|ursprüngliche nachricht|weitergeleitete nachricht|"+
	"ursprüngliche mail|message d'origine|message original|message transféré|message initial|messaggio originale|messaggio inoltrato|oorspronkelijk bericht|origineel bericht|doorgestuurd bericht|"+
	"mensaje original|mensaje reenviado|mensagem original|mensagem encaminhada|missatge original|missatge reenviat|mensaxe orixinal|mensaxe reenviada|mesajul original|mesaj original|mesaj redirecţionat|mesaj redirecționat|"+
	"oprindelig meddelelse|original meddelelse|videresendt meddelelse|ursprungligt meddelande|originalmeddelande|vidarebefordrat meddelande|opprinnelig melding|videresendt melding|videresendt e-post|"+
	"alkuperäinen viesti|edelleenlähetetty viesti|algne sõnum|originaalsõnum|edastatud sõnum|jatorrizko mezua|birbidalitako mezua|původní zpráva|přeposlaná zpráva|pôvodná správa|správa poslaná ďalej|"+
	"izvorna poruka|originalna poruka|proslijeđena poruka|izvirno sporočilo|posredovano sporočilo|wiadomość oryginalna|oryginalna wiadomość|wiadomość przekazana|eredeti üzenet|továbbított üzenet|"+
	"оригинално съобщение|препратено съобщение|исходное сообщение|пересылаемое сообщение|переадресованное сообщение|пересланное сообщение|оригінальне повідомлення|переслане повідомлення|оригинална порука|прослеђена порука|"+
	"αρχικό μήνυμα|προωθημένο μήνυμα|orijinal ileti|özgün ileti|orijinal mesaj|yönlendirilen ileti|iletilmiş mesaj|originalus laiškas|pradinis pranešimas|persiųstas pranešimas|sākotnējais ziņojums|oriģinālā ziņa|pārsūtīts ziņojums|"+
	"pesan asli|pesan terusan|thư gốc|tin nhắn gốc|tin nhắn đã chuyển tiếp|ข้อความต้นฉบับ|จดหมายที่ส่งต่อ|הודעה מקורית|הודעה שהועברה|الرسالة الأصلية|الرسالة المعاد توجيهها|پیام اصلی|پیام باز ارسال شده|मूल संदेश|अग्रेषित संदेश|"+
	"元のメッセージ|転送メッセージ|original メッセージ|原始邮件|转发的邮件|转发邮件|原始郵件|轉寄的郵件|轉寄郵件|원본 메일|원본 메시지|전달된 메일|begin forwarded message|"+
	"anfang der weitergeleiteten|début du message réexpédié|début du message transféré|inizio messaggio inoltrato|inicio del mensaje reenviado|begin doorgestuurd bericht|início da mensagem encaminhada|"+
	"videresendt besked|vidarebefordrat brev|początek przekazywanej wiadomości|началo переадресованного сообщения|начало переадресованного сообщения", "|")

// separatorStarts are Apple Mail's separators, which have no dashes.
var separatorStarts = []string{"begin forwarded message", "anfang der weitergeleiteten", "début du message ré", "début du message tr", "inizio messaggio inoltrato",
	"inicio del mensaje reenviado", "begin doorgestuurd bericht", "início da mensagem encaminhada", "начало переадресованного", "начало пересылаемого"}

// verbs are what attribution lines say that somebody did.
var verbs = strings.Split("wrote|writes|said|schrieb|geschrieben|a écrit|écrit|escribió|va escriure|ha escrit|escribiu|escreveu|ha scritto|scrive|schreef|geschreven|"+
	"skrev|skrifaði|skreiv|kirjoitti|kirjutas|napsal|napísal|napisał|napisał(a)|napisao|napisala|napisal|pisze|piše|je napisao|írta|написа|написал|написав|пишет|пише|написао|"+
	"έγραψε|yazdı|yazmış|a scris|rašė|rakstīja|menulis|đã viết|viết|เขียนว่า|เขียน|ने लिखा|כתב|כתבה|נכתב|كتب|جاء من|نوشت|igorleak|idatzi|"+
	"写道|寫道|写到|님이 작성|쓴 글|작성|さんは書きました|のメッセージ|書きました", "|")
