package configs

import "fmt"

// A Cluster is what a client needs to reach the parties.
type Cluster struct {
	IdentityFile string   `yaml:"identity_file"` // the client's own secret, of mode 0600
	Parties      []Member `yaml:"parties"`       // all, in the same order everywhere
}

// LoadCluster reads and checks a cluster file, and that its identity file is
// there and for its owner only. A relative path is taken from the file's directory.
func LoadCluster(file string) (*Cluster, error) {
	b, err := readFile(file)
	if err != nil {
		return nil, err
	}
	cl, err := ParseCluster(file, b)
	if err != nil {
		return nil, err
	}
	cl.IdentityFile = beside(file, cl.IdentityFile)
	if err := checkSecret(cl.IdentityFile); err != nil {
		return nil, fmt.Errorf("%s: identity_file: %w", file, err)
	}
	return cl, nil
}

// ParseCluster checks a cluster, without a look at other files. file is its name
// in errors.
func ParseCluster(file string, b []byte) (*Cluster, error) {
	cl := &Cluster{}
	c, err := decode(file, b, cl)
	if err != nil {
		return nil, err
	}
	c.members(cl.Parties, false)
	c.distinct(cl.Parties, nil)
	c.required("identity_file", cl.IdentityFile)
	return cl, c.err()
}

// YAML returns the file, for people to read and change.
func (cl *Cluster) YAML() []byte {
	return encode("The parties of a cluster, for its clients. The identity file is the client's own, relative to this file.", cl)
}
