package configs

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// TestWhatIsWrongIsSaidWithItsLine changes one thing of party.yaml at a time.
func TestWhatIsWrongIsSaidWithItsLine(t *testing.T) {
	const (
		clinic  = "12D3KooWAAsHW9XRwYyidNH1vws764LdssR4GbfCtFkFyFVvoRZH"
		insurer = "12D3KooWFb1SPbfo5ee1v4YS19RiZWtK8Fs6RMRZN2rF62fKZmev"
	)
	for name, test := range map[string]struct {
		old, new string
		key      string // "" if the error has none
		want     string
	}{
		"unknown key":           {"log_level:", "loglevel:", "loglevel", "is not a known key: here are name, identity_file, "},
		"unknown nested key":    {"max_sessions: 8", "max_sesions: 8", "max_sesions", "is not a known key: here are max_batch, max_sessions"},
		"key twice":             {"log_level: info", "log_level: info\nlog_level: warn", "", "already defined"},
		"text for a number":     {"pool: 256", "pool: many", "models[0].pool", "`many` is not a whole number"},
		"number for a duration": {"step: 4s", "step: 4", "timeouts.step", "`4` is not a duration"},
		"bad duration":          {"step: 4s", "step: soon", "timeouts.step", "`soon` is not a duration"},
		"text for a list":       {"roles: [deploy]", "roles: deploy", "clients[0].roles", "`deploy` is not a list"},
		"list for a text":       {"log_level: info", "log_level: [info]", "log_level[0]", "is not a text"},
		"not YAML":              {"log_level: info", "log_level: {info", "", "is not YAML"},
		"two documents":         {"log_level: info", "log_level: info\n---\n", "", "has more than one document"},

		"no name":               {"\nname: clinic", "\n", "name", "is missing"},
		"not a party":           {"\nname: clinic", "\nname: hospital", "name", "none of the parties: they are clinic, insurer, auditor"},
		"bad name":              {"- name: auditor", "- name: ../auditor", "parties[2].name", "is not a name"},
		"same name":             {"- name: auditor", "- name: insurer", "parties[2].name", "is also parties[1].name"},
		"client named as party": {"- name: ward", "- name: insurer", "clients[1].name", "is also parties[1].name"},
		"control character":     {"Mutual Insurance", `"a\eb"`, "parties[1].organisation", "is not a name"},
		"no identity":           {"identity: " + insurer, "identity:", "parties[1].identity", "is missing"},
		"short identity":        {insurer, insurer[1:], "parties[1].identity", "is not an identity"},
		"not base58":            {insurer, insurer[:51] + "0", "parties[1].identity", "is not an identity"},
		"same identity":         {insurer, clinic, "parties[1].identity", "is also parties[0].identity"},
		"no port":               {"192.0.2.30:7100", "192.0.2.30", "parties[2].address", "write host:port"},
		"port 0":                {"192.0.2.30:7100", "192.0.2.30:0", "parties[2].address", "has no port between"},
		"large port":            {"192.0.2.30:7100", "192.0.2.30:65536", "parties[2].address", "has no port between"},
		"no host":               {"192.0.2.30:7100", ":7100", "parties[2].address", "has no host"},
		"bad host":              {"192.0.2.30:7100", "-a_b:7100", "parties[2].address", "has no host"},
		"unspecified host":      {"192.0.2.30:7100", "0.0.0.0:7100", "parties[2].address", "cannot be connected to"},
		"same address":          {"192.0.2.30:7100", "Tacit.insurer.example:7100", "parties[2].address", "is also parties[1].address"},
		"bad listen":            {"listen: 0.0.0.0:7100", "listen: 7100", "listen", "write host:port"},
		"bad metrics":           {"# metrics: 127.0.0.1:9100", "metrics: 127.0.0.1", "metrics", "write host:port"},
		"bad level":             {"log_level: info", "log_level: loud", "log_level", "use one of debug, info, warn, error"},
		"no identity file":      {"identity_file: identity.key", "", "identity_file", "is missing"},
		"no data":               {"data_dir: data", "data_dir:", "data_dir", "is missing"},

		"no roles":            {"    roles: [deploy]\n", "", "clients[0].roles", "is missing"},
		"bad role":            {"roles: [deploy]", "roles: [predict, admin]", "clients[0].roles[1]", "is not a role"},
		"no models":           {"roles: [deploy]\n    models: [tumour]", "roles: [deploy]", "clients[0].models", "is missing"},
		"unknown model":       {"roles: [deploy]\n    models: [tumour]", "roles: [deploy]\n    models: [tumor]", "clients[0].models[0]", "none of the models"},
		"bad model name":      {"- name: tumour", "- name: tumour/..", "models[0].name", "is not a name"},
		"no pool":             {"    pool: 256\n", "", "models[0].pool", "is missing: use 0 to"},
		"batch over the pool": {"batch: 64", "batch: 512", "models[0].batch", "use 1 to 256"},
		"request over limit":  {"    max_batch: 16", "    max_batch: 33", "models[0].max_batch", "use 1 to 32"},
		"request of nothing":  {"    max_batch: 16", "    max_batch: 0", "models[0].max_batch", "use 1 to 32"},
		"long merge":          {"    merge_rows: 16", "    merge_delay: 2s", "models[0].merge_delay", "at most 1s"},
		"merge into the past": {"    merge_rows: 16", "    merge_delay: -1ms", "models[0].merge_delay", "use 0 for none"},
		"merge of little":     {"    merge_rows: 16", "    merge_rows: 15", "models[0].merge_rows", "use 16 to 256"},
		"merge over the pool": {"    merge_rows: 16", "    merge_rows: 257", "models[0].merge_rows", "use 16 to 256"},
		"no sessions":         {"max_sessions: 8", "max_sessions: 0", "limits.max_sessions", "use 1 to 1024"},
		"no time":             {"step: 4s", "step: 0s", "timeouts.step", "use more than 0"},
		"negative time":       {"prepare: 2m", "prepare: -2m", "timeouts.prepare", "use more than 0"},
		"too much time":       {"material: 30s", "material: 25h", "timeouts.material", "at most 24h"},
		"early death":         {"liveness: 4s", "liveness: 900ms", "timeouts.liveness", "use at least 1s"},
		"no life":             {"liveness: 4s", "liveness: 0s", "timeouts.liveness", "use more than 0"},
		"step over session":   {"step: 4s", "step: 2m", "timeouts.step", "longer than the whole session"},
	} {
		t.Run(name, func(t *testing.T) {
			before := string(read(t, "party.yaml"))
			if strings.Count(before, test.old) == 0 {
				t.Fatalf("party.yaml has no %q", test.old)
			}
			after := strings.Replace(before, test.old, test.new, 1)
			_, err := ParseParty("party.yaml", []byte(after))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if e.File != "party.yaml" || e.Key != test.key || !strings.Contains(e.Message, test.want) {
				t.Errorf("got  %v\nwant %s: %s", err, test.key, test.want)
			}
			// At the line that was changed, or at what surrounds it if it is gone.
			if lines := strings.Split(after, "\n"); test.key != "" && (e.Line < 1 || e.Line > len(lines)) {
				t.Errorf("at line %d of %d", e.Line, len(lines))
			}
		})
	}
}

func TestLinesAreExact(t *testing.T) {
	const file = `identity_file: identity.key
parties:
  - name: alpha
    address: 127.0.0.1
    identity: 12D3KooWAAsHW9XRwYyidNH1vws764LdssR4GbfCtFkFyFVvoRZH
  - name: beta
    address: 127.0.0.1:7102
    identity: none
`
	const want = "c.yaml:4: parties[0].address: \"127.0.0.1\" is not an address: write host:port, or [host]:port for IPv6\n" +
		"c.yaml:8: parties[1].identity: \"none\" is not an identity: copy what `tacit keygen` printed, 12D3KooW and 44 more letters and digits"
	_, err := ParseCluster("c.yaml", []byte(file))
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestFilesThatAreNoConfiguration(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"empty":       {"", "x.yaml: is empty"},
		"comments":    {"# nothing\n", "x.yaml: is empty"},
		"a text":      {"hello", "is not a mapping of keys to values"},
		"binary":      {"\x00\x01\xff", "is not YAML"},
		"large":       {strings.Repeat("#", maxSize+1), "is larger than"},
		"null":        {"null", "parties: 0 are listed: there must be 2 to 7"},
		"one party":   {"parties: [{name: alpha, address: '127.0.0.1:1'}]", "parties: 1 are listed: there must be 2 to 7"},
		"a bomb":      {"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" + strings.Repeat("c: [*b,*b]\n", 2), "x.yaml"},
		"open braces": {strings.Repeat("[", 20_000), "is not YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseDeployment("x.yaml", []byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestEightPartiesAreRefused(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("parties:\n")
	for _, name := range strings.Split("abcdefgh", "") {
		b.WriteString("- {name: " + name + ", address: '" + name + ".example:1'}\n")
	}
	_, err := ParseDeployment("x.yaml", b.Bytes())
	if err == nil || !strings.Contains(err.Error(), "x.yaml:2: parties: 8 are listed") {
		t.Errorf("got %v", err)
	}
}
