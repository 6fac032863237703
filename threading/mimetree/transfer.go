package mimetree

// decodeTransfer undoes a Content-Transfer-Encoding. It is for searching:
// whatever can be read is read, also behind what is broken.
func decodeTransfer(encoding string, raw []byte) []byte {
	switch encoding {
	case "QUOTED-PRINTABLE":
		return decodeQuotedPrintable(raw)
	case "BASE64":
		return decodeBase64(raw)
	}
	return raw
}

// decodeQuotedPrintable leaves an equals sign that encodes nothing as it is
// (RFC 2045 section 6.7's advice on robustness).
func decodeQuotedPrintable(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '=' {
			out = append(out, raw[i])
			continue
		}
		end := i + 1
		for end < len(raw) && (raw[end] == ' ' || raw[end] == '\t' || raw[end] == '\r') {
			end++
		}
		if end == len(raw) || raw[end] == '\n' { // a soft line break
			i = end
			continue
		}
		if i+2 < len(raw) {
			if c, ok := hexOctet(raw[i+1], raw[i+2]); ok {
				out = append(out, c)
				i += 2
				continue
			}
		}
		out = append(out, '=')
	}
	return out
}

// decodeBase64 leaves out all characters that are none of the alphabet (RFC
// 2045 section 6.8) and goes on behind padding.
func decodeBase64(raw []byte) []byte {
	out := make([]byte, 0, len(raw)/4*3+3)
	var bits uint32
	n := 0
	flush := func() {
		if n > 1 {
			bits <<= 6 * (4 - n)
			out = append(out, byte(bits>>16), byte(bits>>8), byte(bits))
			out = out[:len(out)-(4-n)]
		}
		bits, n = 0, 0
	}
	for _, c := range raw {
		v := base64Digits[c]
		if v > 63 {
			if c == '=' {
				flush()
			}
			continue
		}
		bits = bits<<6 | uint32(v)
		if n++; n == 4 {
			flush()
		}
	}
	flush()
	return out
}

// base64Digits is the value of each character; 64: it has none.
var base64Digits = func() (t [256]byte) {
	for i := range t {
		t[i] = 64
	}
	for i, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		t[c] = byte(i)
	}
	return t
}()

// hexOctet is the octet that two hexadecimal digits stand for.
func hexOctet(a, b byte) (byte, bool) {
	x, y := hexDigit(a), hexDigit(b)
	return x<<4 | y, x < 16 && y < 16
}

func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 16
}
