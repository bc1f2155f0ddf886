package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// maxSize bounds a file: none of 7 parties and 1,000 clients is as large.
const maxSize = 1 << 20

// An Error is one problem of one file.
type Error struct {
	File    string
	Line    int    // from 1; 0 if the problem has no line
	Key     string // such as parties[1].address
	Message string // what is wrong and what to do
}

func (e *Error) Error() string {
	var s strings.Builder
	s.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&s, ":%d", e.Line)
	}
	s.WriteString(": ")
	if e.Key != "" {
		s.WriteString(e.Key + ": ")
	}
	s.WriteString(e.Message)
	return s.String()
}

// decode reads the only YAML document in b into v, which has the defaults.
func decode(file string, b []byte, v any) (*checker, error) {
	if len(b) > maxSize {
		return nil, &Error{File: file, Message: fmt.Sprintf("is larger than %d bytes: is this the right file?", maxSize)}
	}
	c := &checker{file: file, root: new(yaml.Node)}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := yaml.Unmarshal(b, c.root); err != nil { // for the lines
		return nil, c.explain(err)
	}
	if err := d.Decode(v); err != nil {
		return nil, c.explain(err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, &Error{File: file, Message: "has more than one document: remove what follows the first"}
	}
	return c, nil
}

var (
	syntax    = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)
	unknown   = regexp.MustCompile(`^line (\d+): field (.*) not found in type configs\.(\w+)$`)
	wrongType = regexp.MustCompile(`(?s)^line (\d+): cannot unmarshal !!\w+ (.*)into (\S+)$`)
	otherLine = regexp.MustCompile(`(?s)^line (\d+): (.*)$`)
)

// explain says in the words of the file what the YAML library says in those of Go.
func (c *checker) explain(err error) error {
	if errors.Is(err, io.EOF) {
		return &Error{File: c.file, Message: "is empty"}
	}
	var typed *yaml.TypeError
	if !errors.As(err, &typed) {
		m := syntax.FindStringSubmatch(err.Error())
		if m == nil {
			return &Error{File: c.file, Message: err.Error()}
		}
		return &Error{File: c.file, Line: number(m[1]), Message: "is not YAML: " + m[2]}
	}
	for _, text := range typed.Errors {
		c.problems = append(c.problems, c.explainLine(text))
	}
	return c.err()
}

func (c *checker) explainLine(text string) error {
	if m := unknown.FindStringSubmatch(text); m != nil {
		return &Error{File: c.file, Line: number(m[1]), Key: m[2], Message: "is not a known key: here are " + knownKeys(m[3])}
	}
	if m := wrongType.FindStringSubmatch(text); m != nil {
		e := &Error{File: c.file, Line: number(m[1]), Message: m[2] + "is not " + wanted(m[3])}
		e.Key = keyAt(c.root, e.Line, "")
		return e
	}
	if m := otherLine.FindStringSubmatch(text); m != nil {
		return &Error{File: c.file, Line: number(m[1]), Message: m[2]}
	}
	return &Error{File: c.file, Message: text}
}

// keyAt returns the key of the first value that starts on the line.
func keyAt(n *yaml.Node, line int, key string) string {
	for i, next := range n.Content {
		below := key
		switch n.Kind {
		case yaml.SequenceNode:
			below = fmt.Sprintf("%s[%d]", key, i)
		case yaml.MappingNode:
			if i%2 == 0 {
				continue
			}
			below = strings.TrimPrefix(key+"."+n.Content[i-1].Value, ".")
		}
		if found := keyAt(next, line, below); found != "" {
			return found
		}
	}
	if n.Line == line && n.Kind == yaml.ScalarNode {
		return key
	}
	return ""
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// wanted names a Go type to someone who writes YAML.
func wanted(goType string) string {
	switch {
	case goType == reflect.TypeFor[time.Duration]().String():
		return `a duration: write one such as "10s" or "2m"`
	case strings.HasPrefix(goType, "int"):
		return "a whole number"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	case goType == "string" || goType == "configs.Role":
		return "a text"
	}
	return "a mapping of keys to values"
}

// knownKeys lists the keys of one of the types of this package.
func knownKeys(typeName string) string {
	for _, t := range []reflect.Type{
		reflect.TypeFor[Deployment](), reflect.TypeFor[Party](), reflect.TypeFor[Cluster](), reflect.TypeFor[Member](),
		reflect.TypeFor[Client](), reflect.TypeFor[Model](), reflect.TypeFor[Timeouts](), reflect.TypeFor[Limits](),
	} {
		if t.Name() != typeName {
			continue
		}
		var keys []string
		for i := range t.NumField() {
			key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
			keys = append(keys, key)
		}
		return join(keys)
	}
	return "others"
}

// encode returns v as YAML below a comment.
func encode(comment string, v any) []byte {
	var b bytes.Buffer
	for line := range strings.Lines(comment) {
		fmt.Fprintf(&b, "# %s", line)
	}
	b.WriteString("\n\n")
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(v); err != nil {
		panic("configs: " + err.Error()) // plain structs always encode
	}
	if err := e.Close(); err != nil {
		panic("configs: " + err.Error())
	}
	return b.Bytes()
}
