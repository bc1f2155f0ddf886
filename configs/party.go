package configs

import (
	"fmt"
	"slices"
)

// A Party is what one organisation's daemon runs from.
type Party struct {
	Name         string   `yaml:"name"`              // which of Parties it is
	IdentityFile string   `yaml:"identity_file"`     // secret, of mode 0600
	DataDir      string   `yaml:"data_dir"`          // model shares and material
	Listen       string   `yaml:"listen"`            // host:port; if not given, its own address
	LogLevel     string   `yaml:"log_level"`         // debug, info, warn or error
	Metrics      string   `yaml:"metrics,omitempty"` // host:port; off if not given
	Parties      []Member `yaml:"parties"`           // all, in the same order everywhere
	Clients      []Client `yaml:"clients"`           // nobody else is let in
	Models       []Model  `yaml:"models"`
	Timeouts     Timeouts `yaml:"timeouts"`
	Limits       Limits   `yaml:"limits"`
}

// LoadParty reads and checks a party's file, and that its identity file is there
// and for its owner only. Relative paths are taken from the file's directory.
func LoadParty(file string) (*Party, error) {
	b, err := readFile(file)
	if err != nil {
		return nil, err
	}
	p, err := ParseParty(file, b)
	if err != nil {
		return nil, err
	}
	p.IdentityFile = beside(file, p.IdentityFile)
	p.DataDir = beside(file, p.DataDir)
	if err := checkSecret(p.IdentityFile); err != nil {
		return nil, fmt.Errorf("%s: identity_file: %w", file, err)
	}
	return p, nil
}

// ParseParty checks a party's configuration, without a look at other files.
// file is its name in errors.
func ParseParty(file string, b []byte) (*Party, error) {
	p := &Party{LogLevel: "info", Timeouts: DefaultTimeouts(), Limits: DefaultLimits()}
	c, err := decode(file, b, p)
	if err != nil {
		return nil, err
	}
	c.members(p.Parties, false)
	c.limits(p.Limits)
	c.models(p.Models, p.Limits)
	c.clients(p.Clients, p.Models, false)
	c.timeouts(p.Timeouts)
	c.distinct(p.Parties, p.Clients)

	c.required("identity_file", p.IdentityFile)
	c.required("data_dir", p.DataDir)
	if c.required("name", p.Name) && p.Self() < 0 {
		c.fail("name", "%q is none of the parties: they are %s", p.Name, list(p.Parties))
	}
	if p.Listen == "" && p.Self() >= 0 {
		p.Listen = p.Parties[p.Self()].Address
	}
	c.listen("listen", p.Listen)
	c.listen("metrics", p.Metrics)
	if !slices.Contains(logLevels, p.LogLevel) {
		c.fail("log_level", "%q is not a level: use one of %s", p.LogLevel, join(logLevels))
	}
	return p, c.err()
}

var logLevels = []string{"debug", "info", "warn", "error"}

// Self returns the index of this party.
func (p *Party) Self() int {
	return slices.IndexFunc(p.Parties, func(m Member) bool { return m.Name == p.Name })
}

// Client returns the client of that identity.
func (p *Party) Client(identity string) (Client, bool) {
	i := slices.IndexFunc(p.Clients, func(c Client) bool { return c.Identity == identity })
	if i < 0 {
		return Client{}, false
	}
	return p.Clients[i], true
}

// Model returns the settings of a model.
func (p *Party) Model(name string) (Model, bool) {
	i := slices.IndexFunc(p.Models, func(m Model) bool { return m.Name == name })
	if i < 0 {
		return Model{}, false
	}
	return p.Models[i], true
}

// YAML returns the file, for people to read and change.
func (p *Party) YAML() []byte {
	return encode("One party of a cluster: what `tacit party --config` runs from. Paths are relative to this file.\n"+
		"The parties, their order and the models must be the same at every party.", p)
}
