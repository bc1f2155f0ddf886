package configs

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gopkg.in/yaml.v3"
)

// A checker collects the problems of one file.
type checker struct {
	file     string
	root     *yaml.Node
	problems []error
}

func (c *checker) err() error { return errors.Join(c.problems...) }

func (c *checker) fail(key, format string, args ...any) {
	line := 0
	if n, _ := locate(c.root, key); n != nil {
		line = n.Line
	}
	c.problems = append(c.problems, &Error{File: c.file, Line: line, Key: key, Message: fmt.Sprintf(format, args...)})
}

// given reports whether the file has the key.
func (c *checker) given(key string) bool {
	_, found := locate(c.root, key)
	return found
}

var step = regexp.MustCompile(`[^.\[\]]+`)

// locate finds the node of a key such as parties[1].address, or the closest one
// above it that the file has.
func locate(n *yaml.Node, key string) (closest *yaml.Node, found bool) {
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	for _, s := range step.FindAllString(key, -1) {
		next := child(n, s)
		if next == nil {
			return n, false
		}
		n = next
	}
	return n, true
}

func child(n *yaml.Node, key string) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(key); err == nil && i < len(n.Content) {
			return n.Content[i]
		}
	}
	return nil
}

func (c *checker) required(key, value string) bool {
	if value == "" {
		c.fail(key, "is missing")
	}
	return value != ""
}

// Names are parts of paths and of log lines.
var (
	validName      = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	validModelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

func (c *checker) name(key, value string) {
	if c.required(key, value) && !validName.MatchString(value) {
		c.fail(key, "%q is not a name: use up to 32 of a-z, 0-9 and -", value)
	}
}

// validIdentity is the base58 form of an Ed25519 public key as libp2p names it:
// a prefix that says so, and 32 bytes.
var validIdentity = regexp.MustCompile(`^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$`)

func (c *checker) identity(key, value string, optional bool) {
	if value == "" && optional {
		return
	}
	if c.required(key, value) && !validIdentity.MatchString(value) {
		c.fail(key, "%q is not an identity: copy what `tacit keygen` printed, 12D3KooW and 44 more letters and digits", value)
	}
}

var validHost = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?$`)

func (c *checker) address(key, value string) {
	if c.required(key, value) && c.hostPort(key, value) && unspecified(value) {
		c.fail(key, "%q cannot be connected to: give the host that the others reach", value)
	}
}

func (c *checker) listen(key, value string) {
	if value != "" {
		c.hostPort(key, value)
	}
}

func (c *checker) hostPort(key, value string) bool {
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		c.fail(key, "%q is not an address: write host:port, or [host]:port for IPv6", value)
		return false
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		c.fail(key, "%q has no port between 1 and 65535", value)
		return false
	}
	if _, err := netip.ParseAddr(host); err != nil && (len(host) > 253 || !validHost.MatchString(host)) {
		c.fail(key, "%q has no host: write an IP address or a DNS name before the port", value)
		return false
	}
	return true
}

func unspecified(address string) bool {
	a, err := netip.ParseAddrPort(address)
	return err == nil && a.Addr().IsUnspecified()
}

func (c *checker) between(key string, value, lo, hi int) {
	if value < lo || value > hi {
		c.fail(key, "%d is out of range: use %d to %d", value, lo, hi)
	}
}

func (c *checker) duration(key string, value time.Duration) {
	if value <= 0 || value > MaxTimeout {
		c.fail(key, "%v is out of range: use more than 0 and at most %v", value, MaxTimeout)
	}
}

func (c *checker) members(parties []Member, draft bool) {
	if n := len(parties); n < MinParties || n > MaxParties {
		c.fail("parties", "%d are listed: there must be %d to %d", n, MinParties, MaxParties)
	}
	for i, p := range parties {
		key := fmt.Sprintf("parties[%d].", i)
		c.name(key+"name", p.Name)
		c.address(key+"address", p.Address)
		c.identity(key+"identity", p.Identity, draft)
		if len(p.Organisation) > 128 || strings.ContainsFunc(p.Organisation, func(r rune) bool { return !unicode.IsPrint(r) }) {
			c.fail(key+"organisation", "%q is not a name: use up to 128 printable characters", p.Organisation)
		}
	}
}

func (c *checker) limits(l Limits) {
	c.between("limits.max_batch", l.MaxBatch, 1, MaxBatch)
	c.between("limits.max_sessions", l.MaxSessions, 1, MaxSessions)
}

// models checks the settings and fills in the limits that are not given.
func (c *checker) models(models []Model, l Limits) {
	seen := map[string]bool{}
	for i := range models {
		m := &models[i]
		key := fmt.Sprintf("models[%d].", i)
		if c.required(key+"name", m.Name) && !validModelName.MatchString(m.Name) {
			c.fail(key+"name", "%q is not a name: use up to 64 letters, digits, dots, - and _", m.Name)
		}
		if seen[m.Name] {
			c.fail(key+"name", "%q is listed twice", m.Name)
		}
		seen[m.Name] = true
		if !c.given(key + "pool") {
			c.fail(key+"pool", "is missing: use 0 to %d", MaxPool)
		}
		c.between(key+"pool", m.Pool, 0, MaxPool)
		room := MaxBatch // without a pool, as much is prepared as a request needs
		if m.Pool > 0 {
			room = m.Pool
		}
		c.between(key+"batch", m.Batch, 1, min(MaxBatch, room))
		if !c.given(key + "max_batch") {
			m.MaxBatch = min(l.MaxBatch, room)
		}
		c.between(key+"max_batch", m.MaxBatch, 1, min(max(l.MaxBatch, 1), room))
		if m.MergeDelay < 0 || m.MergeDelay > MaxMerge {
			c.fail(key+"merge_delay", "%v is out of range: use 0 for none, and at most %v", m.MergeDelay, MaxMerge)
		}
		if !c.given(key + "merge_rows") {
			m.MergeRows = m.MaxBatch
		}
		c.between(key+"merge_rows", m.MergeRows, m.MaxBatch, room)
	}
}

func (c *checker) clients(clients []Client, models []Model, draft bool) {
	for i, cl := range clients {
		key := fmt.Sprintf("clients[%d].", i)
		c.name(key+"name", cl.Name)
		c.identity(key+"identity", cl.Identity, draft)
		if len(cl.Roles) == 0 {
			c.fail(key+"roles", "is missing: list deploy, predict or both")
		}
		for j, r := range cl.Roles {
			if r != RoleDeploy && r != RolePredict {
				c.fail(fmt.Sprintf("%sroles[%d]", key, j), "%q is not a role: use deploy or predict", r)
			}
		}
		if len(cl.Models) == 0 {
			c.fail(key+"models", "is missing: list the models that it may use")
		}
		for j, name := range cl.Models {
			if !slices.ContainsFunc(models, func(m Model) bool { return m.Name == name }) {
				c.fail(fmt.Sprintf("%smodels[%d]", key, j), "%q is none of the models of this file", name)
			}
		}
	}
}

func (c *checker) timeouts(t Timeouts) {
	c.duration("timeouts.session", t.Session)
	c.duration("timeouts.step", t.Step)
	c.duration("timeouts.prepare", t.Prepare)
	c.duration("timeouts.material", t.Material)
	c.duration("timeouts.liveness", t.Liveness)
	if t.Liveness > 0 && t.Liveness < MinLiveness {
		c.fail("timeouts.liveness", "%v is too short, a busy machine would look dead: use at least %v", t.Liveness, MinLiveness)
	}
	if t.Step > t.Session {
		c.fail("timeouts.step", "%v is longer than the whole session, %v", t.Step, t.Session)
	}
}

// distinct makes sure that no two parties or clients can be taken for one another.
func (c *checker) distinct(parties []Member, clients []Client) {
	seen := map[string]string{} // what it is: where it was first
	unique := func(key, what, value string) {
		if value == "" {
			return
		}
		id := what + " " + strings.ToLower(value)
		if what == "identity" {
			id = what + " " + value
		}
		if first, ok := seen[id]; ok {
			c.fail(key, "%q is also %s: every %s may be used once", value, first, what)
			return
		}
		seen[id] = key
	}
	for i, p := range parties {
		key := fmt.Sprintf("parties[%d].", i)
		unique(key+"name", "name", p.Name)
		unique(key+"address", "address", p.Address)
		unique(key+"identity", "identity", p.Identity)
	}
	for i, cl := range clients {
		key := fmt.Sprintf("clients[%d].", i)
		unique(key+"name", "name", cl.Name)
		unique(key+"identity", "identity", cl.Identity)
	}
}

func list(parties []Member) string {
	var names []string
	for _, p := range parties {
		names = append(names, p.Name)
	}
	return join(names)
}

func join(words []string) string { return strings.Join(words, ", ") }
