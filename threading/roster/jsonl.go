package roster

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// jsonMember is a line of a JSONL file.
type jsonMember struct {
	Handle       string   `json:"handle"`
	Name         string   `json:"name"`
	Address      string   `json:"address"`
	Addresses    []string `json:"addresses"`
	Alerts       string   `json:"alerts"`
	DigestAt     string   `json:"digest_at"`
	Timezone     string   `json:"timezone"`
	FirstContact string   `json:"first_contact"`
	Language     string   `json:"language"`
	PasswordHash string   `json:"password_hash"`
}

type jsonReader struct {
	lines *bufio.Scanner
	line  int
}

func newJSONReader(r io.Reader) *jsonReader {
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxRecord)
	return &jsonReader{lines: s}
}

func (j *jsonReader) next() (record, error) {
	for j.lines.Scan() {
		j.line++
		text := bytes.TrimSpace(bytes.TrimPrefix(j.lines.Bytes(), []byte("\ufeff")))
		if len(text) == 0 {
			continue
		}
		r := record{line: j.line}
		var m jsonMember
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&m); err != nil {
			r.problem = jsonProblem(err)
			return r, nil
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			r.problem = "something follows the object: each line holds one"
			return r, nil
		}
		r.handle, r.name, r.alerts, r.digestAt, r.timezone, r.firstContact, r.language, r.passwordHash = m.Handle, m.Name, m.Alerts, m.DigestAt, m.Timezone, m.FirstContact, m.Language, m.PasswordHash
		if m.Address != "" {
			r.addresses = append(r.addresses, m.Address)
		}
		r.addresses = append(r.addresses, m.Addresses...)
		return r, nil
	}
	switch err := j.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return record{}, fmt.Errorf("line %d: the line is longer than %d octets", j.line+1, maxRecord)
	case err != nil:
		return record{}, err
	}
	return record{}, io.EOF
}

// jsonProblem says what is wrong with a line, without any of its values.
func jsonProblem(err error) string {
	var typed *json.UnmarshalTypeError
	switch {
	case errors.As(err, &typed) && typed.Field == "":
		return "it is not an object such as {\"handle\": \"tess\", …}"
	case errors.As(err, &typed):
		return fmt.Sprintf("%s is a %s, and must be a %s", typed.Field, typed.Value, kindName(typed.Type.String()))
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		name := strings.TrimPrefix(err.Error(), "json: unknown field ")
		if len(name) > 60 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_\"") != "" {
			return "it has an unknown field" // whose name may be anything
		}
		return "it has the unknown field " + name
	}
	return "it is not valid JSON"
}

func kindName(kind string) string {
	if kind == "[]string" {
		return "list of strings"
	}
	return kind
}
