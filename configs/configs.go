// Package configs defines the three configuration files and checks them.
//
//   - [Deployment] is the one file that people write: who the parties and the
//     clients are, and which models are served. It has public identities only,
//     so that organisations can pass it around.
//   - [Party] is what one organisation's daemon runs from.
//   - [Cluster] is what a client needs to find the parties.
//
// A Deployment yields the other two, see [Deployment.PartyConfig] and
// [Deployment.Cluster]. A file is read once, refused for any key that is not
// known, and reported with all its problems at once, each as an [Error] that
// names the line. Nothing changes after that.
//
// The directory also has the files that are shipped, see [Shipped].
package configs

import (
	"embed"
	"time"
)

// Shipped holds the example files of this directory.
//
//go:embed *.yaml
var Shipped embed.FS

// Bounds on what a file may ask for. A party serves at least one other, and the
// cost of a session grows with the square of their number.
const (
	MinParties  = 2
	MaxParties  = 7
	MaxBatch    = 4096
	MaxPool     = 1 << 20
	MaxSessions = 1024
	MaxTimeout  = 24 * time.Hour
	MinLiveness = time.Second
	MaxMerge    = time.Second
)

// The names of secrets and state beside a file that a Deployment yields.
const (
	IdentityFile = "identity.key"
	DataDir      = "data"
)

// A Member is one party as everybody sees it.
type Member struct {
	Name         string `yaml:"name"`
	Organisation string `yaml:"organisation,omitempty"` // for people
	Address      string `yaml:"address"`                // host:port
	Identity     string `yaml:"identity"`               // public, as keygen prints it
}

// A Role is something that a client may do.
type Role string

// The roles there are.
const (
	RoleDeploy  Role = "deploy"  // bring and replace models
	RolePredict Role = "predict" // ask for predictions
)

// A Client is a model owner or a user of models.
type Client struct {
	Name     string   `yaml:"name"`
	Identity string   `yaml:"identity"`
	Roles    []Role   `yaml:"roles,flow"`
	Models   []string `yaml:"models,flow"` // that the roles are for
}

// A Model is the place for one model: how much is prepared for it, and when.
type Model struct {
	Name     string `yaml:"name"`
	Pool     int    `yaml:"pool"`                // preprocessed inferences to keep ready; 0: prepare at each request
	Batch    int    `yaml:"batch"`               // inferences preprocessed at once
	MaxBatch int    `yaml:"max_batch,omitempty"` // rows of one request; if not given, that of Limits

	// MergeDelay is how long a request waits for others that share its
	// session; 0: none do. MergeRows bounds the rows of all of them; if not
	// given, it is MaxBatch.
	MergeDelay time.Duration `yaml:"merge_delay,omitempty"`
	MergeRows  int           `yaml:"merge_rows,omitempty"`
}

// Timeouts bound how long a party waits before it gives up on others.
type Timeouts struct {
	Session  time.Duration `yaml:"session"`  // for one prediction in all
	Step     time.Duration `yaml:"step"`     // for a peer, at one step of a prediction
	Prepare  time.Duration `yaml:"prepare"`  // for a peer, at one step of preprocessing
	Material time.Duration `yaml:"material"` // for preprocessed inferences, at a request
	Liveness time.Duration `yaml:"liveness"` // for a sign of life, whether anything is sent or not
}

// Limits bound what clients may ask of a party.
type Limits struct {
	MaxBatch    int `yaml:"max_batch"`    // rows of one request
	MaxSessions int `yaml:"max_sessions"` // predictions at the same time
}

// DefaultTimeouts are those of a file that does not say otherwise. A step is short
// enough for a client to learn within 5 seconds that a party has died.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		Session:  time.Minute,
		Step:     4 * time.Second,
		Prepare:  2 * time.Minute,
		Material: 30 * time.Second,
		Liveness: 4 * time.Second,
	}
}

// DefaultLimits are those of a file that does not say otherwise.
func DefaultLimits() Limits {
	return Limits{MaxBatch: 32, MaxSessions: 8}
}

// Allows reports whether the client may use the model in that role.
func (c *Client) Allows(role Role, model string) bool {
	for _, r := range c.Roles {
		if r != role {
			continue
		}
		for _, m := range c.Models {
			if m == model {
				return true
			}
		}
	}
	return false
}
