package automatic

import (
	"bufio"
	"bytes"
	"net/textproto"
	"strings"
)

// fieldsReport is what the fields say; vague means that words may say more.
type fieldsReport struct {
	Report
	vague bool
}

// byFields reads the fields for each recipient (RFC 3464 section 2.3). Our mail
// has one recipient; of several, the worst counts.
func byFields(fields []byte) fieldsReport {
	var worst fieldsReport
	seen := false
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(bytes.TrimLeft(fields, "\r\n\t "))))
	for range 50 {
		h, err := r.ReadMIMEHeader()
		if action := strings.ToLower(strings.TrimSpace(h.Get("Action"))); action != "" {
			one := ofRecipient(action, h.Get("Status"), h.Get("Diagnostic-Code"))
			if !seen || one.Class == Hard || worst.Class == Unclear {
				worst, seen = one, true
			}
		}
		if err != nil {
			break
		}
	}
	return worst
}

// ofRecipient reads one recipient's fields.
func ofRecipient(action, status, detail string) fieldsReport {
	action, _, _ = strings.Cut(action, " ")
	one := fieldsReport{Report: Report{Status: statusIn(status)}}
	switch action {
	case "delivered", "relayed", "expanded", "deliverable":
		one.Class = Relieved
		return one
	case "delayed":
		one.Class = Delayed
		return one
	}
	precise := statusIn(detail)
	if precise != "" && (one.Status == "" || strings.HasSuffix(one.Status, ".0.0")) {
		one.Status = precise
	}
	if strings.HasPrefix(one.Status, "2.") { // some say "failed" of what was delivered
		one.Class = Relieved
		return one
	}
	one.Class = classify(one.Status, detail)
	one.vague = generic(one.Status) && !decisive(detail)
	return one
}

// generic: the code says hardly more than that it failed, or how the last
// server on the way was reached.
func generic(status string) bool {
	_, detail, _ := strings.Cut(status, ".")
	switch detail {
	case "0.0", "3.0", "4.0", "5.0", "7.0", "4.7", "2.0", "4.1", "4.4", "7.1", "1.0", "1.1", "1.2", "6.0":
		return true
	}
	return false
}
