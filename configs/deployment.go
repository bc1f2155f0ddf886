package configs

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// A Deployment is what the organisations agree on.
//
// While identities are still being exchanged, they may be empty. Such a file
// loads, but yields nothing yet.
type Deployment struct {
	Parties  []Member `yaml:"parties"` // 2 to 7; the order counts
	Clients  []Client `yaml:"clients"`
	Models   []Model  `yaml:"models"`
	Timeouts Timeouts `yaml:"timeouts"`
	Limits   Limits   `yaml:"limits"`
}

// LoadDeployment reads and checks a deployment file.
func LoadDeployment(file string) (*Deployment, error) {
	b, err := readFile(file)
	if err != nil {
		return nil, err
	}
	return ParseDeployment(file, b)
}

// ParseDeployment checks a deployment; file is its name in errors.
func ParseDeployment(file string, b []byte) (*Deployment, error) {
	d := &Deployment{Timeouts: DefaultTimeouts(), Limits: DefaultLimits()}
	c, err := decode(file, b, d)
	if err != nil {
		return nil, err
	}
	c.members(d.Parties, true)
	c.limits(d.Limits)
	c.models(d.Models, d.Limits)
	c.clients(d.Clients, d.Models, true)
	c.timeouts(d.Timeouts)
	c.distinct(d.Parties, d.Clients)
	return d, c.err()
}

// complete reports all identities that are still missing.
func (d *Deployment) complete() error {
	var missing []error
	need := func(kind, name, identity string) {
		if identity == "" {
			missing = append(missing, fmt.Errorf("deployment: %s %s has no identity yet: "+
				"it runs `tacit keygen --out %s` and tells what that prints", kind, name, IdentityFile))
		}
	}
	for _, p := range d.Parties {
		need("party", p.Name, p.Identity)
	}
	for _, c := range d.Clients {
		need("client", c.Name, c.Identity)
	}
	return errors.Join(missing...)
}

// PartyConfig returns what party i runs from. Its paths are relative to where
// the file will be.
func (d *Deployment) PartyConfig(i int) (*Party, error) {
	if err := d.complete(); err != nil {
		return nil, err
	}
	if i < 0 || i >= len(d.Parties) {
		return nil, fmt.Errorf("deployment: there is no party %d, only 0 to %d", i, len(d.Parties)-1)
	}
	p := &Party{
		Name:         d.Parties[i].Name,
		IdentityFile: IdentityFile,
		DataDir:      DataDir,
		Listen:       listenAddress(d.Parties[i].Address),
		LogLevel:     "info",
		Parties:      slices.Clone(d.Parties),
		Models:       slices.Clone(d.Models),
		Timeouts:     d.Timeouts,
		Limits:       d.Limits,
	}
	for _, c := range d.Clients {
		c.Roles, c.Models = slices.Clone(c.Roles), slices.Clone(c.Models)
		p.Clients = append(p.Clients, c)
	}
	return p, nil
}

// Cluster returns what every client needs. Its identity file is relative to
// where the file will be.
func (d *Deployment) Cluster() (*Cluster, error) {
	if err := d.complete(); err != nil {
		return nil, err
	}
	return &Cluster{IdentityFile: IdentityFile, Parties: slices.Clone(d.Parties)}, nil
}

// YAML returns the file, for people to read and change.
func (d *Deployment) YAML() []byte {
	return encode("A deployment: what the organisations agree on. There are no secrets in it.\n"+
		"`tacit cluster init --deployment` writes from it what each party and each client needs.", d)
}

// listenAddress returns where to listen in order to be reached at address: there
// if it is the loopback, else at the port on every interface, as the address may
// be a name or that of a gateway.
func listenAddress(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		panic("configs: unchecked address") // was checked when the file was read
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "localhost" || err == nil && ip.IsLoopback():
		return address
	case err == nil && ip.Is6():
		return net.JoinHostPort("::", port)
	}
	return net.JoinHostPort("0.0.0.0", port)
}
