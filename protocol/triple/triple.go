package triple

import (
	"errors"
	"io"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/transport"
)

// A Layer is one product of the program: its geometry, and the width of the
// ring of its result.
type Layer struct {
	Conv  ring.Conv
	Width int
}

// A Context is one party's keys and its and the others' encrypted mask shares,
// for one version of the masks.
type Context struct{}

// A Cost is what one party does in a step.
type Cost struct {
	Ciphertexts int64             // made by this party and sent, a copy to several parties counted once
	Steps       []transport.Stats // as [transport.Mesh.Steps] reports them
}

// An ExhaustedError says that the keys have masked as many coefficients as the
// flooding bound allows. The caller makes a new Setup, with new masks.
type ExhaustedError struct {
	Coefficients, Limit int64
}

func (e *ExhaustedError) Error() string { return "exhausted" }

// Setup makes keys and encrypts the mask shares b, of one layer each, for all
// other parties. The packing is chosen for Multiply on batch inferences.
func Setup(m *transport.Mesh, rng io.Reader, layers []Layer, b [][]uint64, batch int) (*Context, error) {
	return nil, errors.New("triple: not built yet")
}

// Multiply returns this party's share of a∗b for every layer, modulo its width,
// where a[l] holds batch inputs, one after the other.
func (c *Context) Multiply(m *transport.Mesh, rng io.Reader, a [][]uint64, batch int) ([][]uint64, error) {
	return nil, errors.New("triple: not built yet")
}

// PlanSetup is the cost of [Setup] for party self of n.
func PlanSetup(n, self int, layers []Layer, batch int) Cost { return Cost{} }

// PlanMultiply is the cost of [Context.Multiply] on batch inferences, under
// keys of a Setup for planned inferences.
func PlanMultiply(n, self int, layers []Layer, planned, batch int) Cost { return Cost{} }
