package party

import (
	"crypto/rand"
	"encoding/binary"

	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/transport"
)

// schedule names how the elements of a comparison are spread over evaluators.
// Parties of a session must agree on it; how they compare is in the manifest.
const schedule = "party p evaluates elements pN/n to (p+1)N/n"

const stepHello = "hello"

// A proposal is what a job is about: the topics on which its parties agree
// before they send anything that depends on a secret.
type proposal struct {
	kind     string
	model    string
	v        *version // nil if this party has none
	version  wire.ID
	material []wire.Material
	requests []wire.Request
	batch    int // rows of all requests
}

// hello returns the hello of this party.
func (p *Party) hello(pr proposal, r wire.Refusal) wire.Hello {
	h := wire.Hello{Refusal: r}
	rand.Read(h.Nonce[:])
	if p.ctx.Err() != nil {
		h.Refusal = wire.RefuseStopping
	}
	parties := wire.NewDigest("parties")
	for _, peer := range p.roster.peers {
		parties.AddString(string(peer.id))
	}
	material := wire.NewDigest("material")
	for _, m := range pr.material {
		material.Add(m.Batch[:], binary.LittleEndian.AppendUint32(nil, m.Index))
	}
	requests := wire.NewDigest("requests")
	for _, r := range pr.requests {
		requests.Add(r.ID[:], binary.LittleEndian.AppendUint32(nil, uint32(r.Rows))).AddString(r.Client)
	}
	h.Digests = [wire.Topics]wire.ID{
		wire.TopicSuite:    wire.NewDigest("suite", wire.Version).AddString(wire.Suite).Sum(),
		wire.TopicParties:  parties.Sum(),
		wire.TopicModel:    wire.NewDigest("model").AddString(pr.model).Sum(),
		wire.TopicVersion:  pr.version,
		wire.TopicMaterial: material.Sum(),
		wire.TopicSchedule: wire.NewDigest("schedule", uint64(pr.batch)).AddString(pr.kind, schedule).Sum(),
		wire.TopicRequest:  requests.Sum(),
	}
	if pr.v != nil {
		h.Digests[wire.TopicManifest] = pr.v.digest
		h.Digests[wire.TopicProgram] = pr.v.program
	}
	return h
}

// agree exchanges hellos and returns what they define. All parties come to the
// same result, and nothing that depends on a secret is sent before. Rounds: 1.
func agree(m *transport.Mesh, h wire.Hello) (wire.Agreement, error) {
	in, err := m.Broadcast(stepHello, h.Append(nil))
	if err != nil {
		return wire.Agreement{}, err
	}
	hellos := make([]wire.Hello, len(in))
	for j, b := range in {
		if hellos[j], err = wire.ParseHello(b); err != nil {
			return wire.Agreement{}, &transport.PeerError{Party: j, Step: stepHello, Err: err}
		}
	}
	return wire.Agree(stepHello, hellos)
}
