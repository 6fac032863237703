package mimetree

import (
	"strings"
	"unicode/utf8"
)

// newPart reads a part's header. Of a field that is there twice the first
// counts, as for Field. The boundary, octet for octet, is returned for a
// multipart.
func newPart(header []byte, def string) (p *Part, boundary string) {
	p = &Part{}
	for name, value := range Fields(header) {
		const prefix = "content-"
		if len(name) <= len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) {
			continue
		}
		switch strings.ToLower(name[len(prefix):]) {
		case "type":
			if p.Type == "" {
				boundary = p.contentType(value)
			}
		case "transfer-encoding":
			if p.Encoding == "" {
				p.Encoding = bounded(contentEncoding(value))
			}
		case "id":
			setOnce(&p.ID, value)
		case "description":
			setOnce(&p.Description, value)
		case "md5":
			setOnce(&p.MD5, value)
		case "location":
			setOnce(&p.Location, value)
		case "disposition":
			if p.Disposition == "" {
				kind, params := fieldValue(value)
				p.Disposition, p.DispositionParams = bounded(kind), decodeParams(params)
			}
		case "language":
			p.languages(value)
		}
	}
	if p.Type == "" {
		p.Type, p.Subtype, _ = strings.Cut(def, "/")
	}
	if p.Encoding == "" {
		p.Encoding = "7BIT" // RFC 2045 section 6.1
	}
	if p.Multipart() && boundary == "" {
		p.Type, p.Subtype = "text", "plain" // it can't be taken apart
	}
	return p, boundary
}

// contentType sets type, subtype and parameters, if the value names a type.
func (p *Part) contentType(value string) (boundary string) {
	kind, params := fieldValue(value)
	typ, subtype, _ := strings.Cut(bounded(kind), "/")
	if typ == "multipart" && subtype == "" {
		subtype = "mixed" // RFC 2046 section 5.1.3
	}
	if typ == "" || subtype == "" {
		return ""
	}
	p.Type, p.Subtype, p.Params = typ, subtype, decodeParams(params)
	if boundary = params["boundary"]; boundary == "" {
		boundary = p.Params["boundary"] // it may have come in sections (RFC 2231 section 3)
	}
	// A boundary can't end in white space (RFC 2046 section 5.1.1): what is on
	// the line after it is padding.
	return strings.TrimRight(boundary, " \t")
}

func (p *Part) languages(value string) {
	for l := range strings.SplitSeq(value, ",") {
		if l = bounded(strings.TrimSpace(l)); l != "" && len(p.Language) < maxLanguages {
			p.Language = append(p.Language, l)
		}
	}
}

func setOnce(field *string, value string) {
	if *field == "" {
		*field = bounded(value)
	}
}

// bounded is s as UTF-8, cut to what is kept.
func bounded(s string) string {
	s = toUTF8(s)
	if len(s) <= maxString {
		return s
	}
	n := maxString
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
