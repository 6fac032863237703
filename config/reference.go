package config

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// field is one key of relay.toml as its documentation shows it.
type field struct {
	Key   string // "smtp.listen"
	Type  string // "string", "list of strings", "size", ...
	Value string // in TOML
	Doc   string
	// Live says what of it follows without a restart on SIGHUP: "value", or
	// "content" (of the file it names); empty: nothing.
	Live string

	section, sectionDoc string
}

// fields lists all keys with the values they have in c, in the order of the
// structs.
func fields(c *Config) []field {
	var list []field
	var walk func(v reflect.Value, section, sectionDoc string)
	walk = func(v reflect.Value, section, sectionDoc string) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name, ok := f.Tag.Lookup("toml")
			switch {
			case !ok:
			case isSection(f.Type):
				walk(v.Field(i), name, f.Tag.Get("doc"))
			default:
				kind, value := tomlValue(v.Field(i))
				list = append(list, field{
					Key: join(section, name), Type: kind, Value: value, Doc: f.Tag.Get("doc"), Live: f.Tag.Get("live"),
					section: section, sectionDoc: sectionDoc,
				})
			}
		}
	}
	walk(reflect.ValueOf(c).Elem(), "", "")
	return list
}

// isSection reports whether a field is a table of its own.
func isSection(t reflect.Type) bool { return t.Kind() == reflect.Struct }

func join(section, name string) string {
	if section == "" {
		return name
	}
	return section + "." + name
}

// tomlValue returns a value's type, for people, and its TOML.
func tomlValue(v reflect.Value) (kind, value string) {
	switch x := v.Interface().(type) {
	case Size:
		return "size", quote(x.String())
	case enum:
		return strings.Join(x.values(), ", "), quote(v.String())
	case Duration:
		return "length of time", quote(x.String())
	case map[string]string:
		var pairs []string
		for _, name := range slices.Sorted(maps.Keys(x)) {
			pairs = append(pairs, quote(name)+" = "+quote(x[name]))
		}
		if pairs == nil {
			return "table of strings", "{}"
		}
		return "table of strings", "{ " + strings.Join(pairs, ", ") + " }"
	case []string:
		quoted := make([]string, len(x))
		for i, s := range x {
			quoted[i] = quote(s)
		}
		return "list of strings", "[" + strings.Join(quoted, ", ") + "]"
	case bool:
		return "true, false", strconv.FormatBool(x)
	case int:
		return "number", strconv.Itoa(x)
	}
	return "string", quote(v.String())
}

// quote returns a TOML basic string. TOML has no \x and \a as Go does.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// exampleDomain is RFC 2606's.
const exampleDomain = "msg.example.com"

const exampleHead = `# Stagedoor's configuration. Every key is here with its default; only domain
# must be set. Check the file with: stagedoor config check
# Names of keys are strict: one that is not known is an error.

`

// Example returns relay.toml.example: every key with its documentation and
// default, and a domain.
func Example() []byte {
	c := Default()
	c.Domain = exampleDomain
	var b bytes.Buffer
	b.WriteString(exampleHead)
	section := ""
	for i, f := range fields(c) {
		if f.section != section {
			section = f.section
			b.WriteString("\n")
			comment(&b, f.sectionDoc)
			fmt.Fprintf(&b, "[%s]\n", section)
		} else if i > 0 {
			b.WriteString("\n")
		}
		comment(&b, f.Doc)
		fmt.Fprintf(&b, "%s = %s\n", f.Key[strings.LastIndexByte(f.Key, '.')+1:], f.Value)
	}
	return b.Bytes()
}

// comment writes text as comment lines of at most 78 columns.
func comment(b *bytes.Buffer, text string) {
	line := "#"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > 78 {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}

const referenceHead = `# relay.toml

Made by ` + "`stagedoor config reference`" + `. Paths may be relative: they then start at the directory of the file. Keys marked
*live* follow a SIGHUP (` + "`systemctl reload stagedoor`" + `): of a value, the new value; of a file, its new content.
All others take a restart, and the reload logs which those are.

`

// Reference returns the documentation of all keys in Markdown.
func Reference() []byte {
	var b bytes.Buffer
	b.WriteString(referenceHead)
	b.WriteString("| key | type | default | |\n|---|---|---|---|\n")
	for _, f := range fields(Default()) {
		value := "`" + f.Value + "`"
		if f.Key == "domain" {
			value = "none: set it"
		}
		doc := f.Doc
		if f.Live != "" {
			doc += " *live*"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Key, f.Type, value, strings.ReplaceAll(doc, "|", `\|`))
	}
	return b.Bytes()
}

// Changed lists the keys whose values differ between two configurations,
// those that a reload applies and those that need a restart.
func Changed(before, after *Config) (live, restart []string) {
	was := fields(before)
	for i, f := range fields(after) {
		switch {
		case f.Value == was[i].Value:
		case f.Live == "value":
			live = append(live, f.Key)
		default:
			restart = append(restart, f.Key)
		}
	}
	return live, restart
}
