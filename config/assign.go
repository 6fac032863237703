package config

import (
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// assignment puts a parsed TOML document into the Config's structs. The
// library's own decoder stops at the first value of a wrong type; this one
// goes on, so that a person mends the file once.
type assignment struct {
	origin   origin
	problems Problems
}

func (a *assignment) problem(key, format string, args ...any) {
	a.problems = append(a.problems, a.origin.problem(key, format, args...))
}

// problem makes a Problem that names the key's line.
func (o origin) problem(key, format string, args ...any) Problem {
	return Problem{File: o.file, Line: o.lines[key], Key: key, Text: fmt.Sprintf(format, args...)}
}

// sort orders problems by line; those without one come last.
func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		if (a.Line == 0) != (b.Line == 0) {
			return b.Line - a.Line
		}
		return cmp.Or(a.Line-b.Line, strings.Compare(a.Key, b.Key))
	})
}

// table assigns the keys of one table to the fields of a struct.
func (a *assignment) table(tree map[string]any, into reflect.Value, section string) {
	fields := map[string]reflect.Value{}
	for i := range into.NumField() {
		if name, ok := into.Type().Field(i).Tag.Lookup("toml"); ok {
			fields[name] = into.Field(i)
		}
	}
	for name, value := range tree {
		key := join(section, name)
		field, ok := fields[name]
		table, isTable := value.(map[string]any)
		switch {
		case !ok && isTable && section == "":
			a.problem(key, "unknown section%s", suggest(key))
		case !ok:
			a.problem(key, "unknown key%s", suggest(key))
		case isSection(field.Type()):
			if !isTable {
				a.problem(key, "is a section: write [%s] on a line of its own and its keys below", name)
				continue
			}
			a.table(table, field, name)
		default:
			a.value(key, value, field)
		}
	}
}

// value assigns one value.
func (a *assignment) value(key string, value any, field reflect.Value) {
	if text, ok := field.Addr().Interface().(encoding.TextUnmarshaler); ok {
		switch value.(type) {
		case string, int64:
			if err := text.UnmarshalText([]byte(fmt.Sprint(value))); err != nil {
				a.problem(key, "%s", err)
			}
		default:
			a.problem(key, "must be a string, such as %s, not %s", quote(fmt.Sprint(field.Interface())), typeName(value))
		}
		return
	}
	switch field.Kind() {
	case reflect.String:
		if s, ok := value.(string); ok {
			field.SetString(s)
			return
		}
		a.problem(key, "must be a string in double quotes, not %s", typeName(value))
	case reflect.Bool:
		if b, ok := value.(bool); ok {
			field.SetBool(b)
			return
		}
		a.problem(key, "must be true or false, without quotes, not %s", typeName(value))
	case reflect.Int:
		if n, ok := value.(int64); ok {
			field.SetInt(n)
			return
		}
		a.problem(key, "must be a whole number, without quotes, not %s", typeName(value))
	case reflect.Map:
		a.strings(key, value, field)
	case reflect.Slice:
		list, ok := stringList(value)
		if ok {
			field.Set(reflect.ValueOf(list))
			return
		}
		a.problem(key, "must be a list of strings, such as [\"127.0.0.1:2525\"], not %s", typeName(value))
	}
}

// strings assigns a table whose keys are a person's to choose.
func (a *assignment) strings(key string, value any, field reflect.Value) {
	table, ok := value.(map[string]any)
	if !ok {
		a.problem(key, "must be a table, such as { \"example.com\" = \"smtp://host:25\" }, not %s", typeName(value))
		return
	}
	m := map[string]string{}
	for name, value := range table {
		text, ok := value.(string)
		switch value.(type) {
		case map[string]any:
			a.problem(join(key, name), "has a dot outside of quotes: write the domain in double quotes, such as \"example.com\" = \"smtp://host:25\"")
		default:
			if !ok {
				a.problem(join(key, name), "must be a string in double quotes, not %s", typeName(value))
			}
		}
		m[name] = text
	}
	field.Set(reflect.ValueOf(m))
}

// stringList returns a TOML array's strings.
func stringList(value any) ([]string, bool) {
	array, ok := value.([]any)
	if !ok {
		return nil, false
	}
	list := make([]string, len(array))
	for i, v := range array {
		if list[i], ok = v.(string); !ok {
			return nil, false
		}
	}
	return list, true
}

// typeName says what a TOML value is.
func typeName(value any) string {
	switch value.(type) {
	case string:
		return "a string"
	case bool:
		return "true or false"
	case int64:
		return "a number"
	case float64:
		return "a number with a decimal point"
	case []any:
		return "a list of something else"
	case map[string]any, []map[string]any:
		return "a section"
	}
	return "a date"
}

// suggest names the known key that was probably meant.
func suggest(key string) string {
	best, distance := "", 3
	leaf := key[strings.LastIndexByte(key, '.')+1:]
	for _, f := range fields(Default()) {
		switch {
		case f.Key[strings.LastIndexByte(f.Key, '.')+1:] == leaf && distance > 2:
			best, distance = f.Key, 2
		case editDistance(f.Key, key) < distance:
			best, distance = f.Key, editDistance(f.Key, key)
		}
	}
	if best == "" {
		return ": see stagedoor config reference for those there are"
	}
	return ": did you mean " + best + "?"
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
