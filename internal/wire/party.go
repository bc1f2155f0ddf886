package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
)

// Kinds of messages between parties. Party 0 leads: it opens jobs. All other
// streams of a job join it.
const (
	KindSession Kind = "session"
	KindDeal    Kind = "deal"
	KindPrep    Kind = "prep"
	KindJoin    Kind = "join"
	KindPing    Kind = "ping"
)

// MaxRequests bounds the requests of one session.
const MaxRequests = 64

// A Request is one client's part of a session.
type Request struct {
	ID     ID     `json:"id"`
	Client string `json:"client"` // its peer id
	Rows   int    `json:"rows"`   // inputs
}

// A Session proposes an online session for one or more requests. It opens the
// stream from party 0 that then is a link of the session's mesh. The rows of the
// requests, in their order, use the materials in theirs.
type Session struct {
	Mesh     ID        `json:"mesh"` // random; names the mesh
	Model    string    `json:"model"`
	Version  ID        `json:"version"`
	Requests []Request `json:"requests"`
	Material []Run     `json:"material"`
}

// Kind implements [Message].
func (Session) Kind() Kind { return KindSession }

// Validate implements [Message].
func (s Session) Validate() error {
	ms, err := Unpack(s.Material)
	if err != nil {
		return err
	}
	must := map[string]bool{
		"mesh id":            s.Mesh != ID{},
		"model name":         ValidName(s.Model),
		"number of requests": len(s.Requests) >= 1 && len(s.Requests) <= MaxRequests,
		"material":           len(ms) >= 1 && len(ms) <= MaxBatch,
		"request id":         true,
		"client":             true,
		"rows":               true,
	}
	rows, seen := 0, map[ID]bool{{}: true}
	for _, r := range s.Requests {
		must["request id"] = must["request id"] && !seen[r.ID]
		must["client"] = must["client"] && len(r.Client) <= 128
		must["rows"] = must["rows"] && r.Rows >= 1 && r.Rows <= MaxBatch
		seen[r.ID] = true
		rows += r.Rows
	}
	must["material"] = must["material"] && len(ms) == rows
	return check(must)
}

// A Deal proposes to deploy what a model owner has sent to all parties.
type Deal struct {
	Mesh    ID     `json:"mesh"`
	Model   string `json:"model"`
	Request ID     `json:"request"`
	Client  string `json:"client"`
	Seq     uint64 `json:"seq"` // number of the new version
}

// Kind implements [Message].
func (Deal) Kind() Kind { return KindDeal }

// Validate implements [Message].
func (d Deal) Validate() error {
	return check(map[string]bool{
		"mesh id":    d.Mesh != ID{},
		"model name": ValidName(d.Model),
		"number":     d.Seq > 0,
		"client":     len(d.Client) <= 128,
	})
}

// A Prep proposes to prepare material for one version of a model.
type Prep struct {
	Mesh    ID     `json:"mesh"`
	Model   string `json:"model"`
	Version ID     `json:"version"`
	Batch   int    `json:"batch"` // size of the batches to come
}

// Kind implements [Message].
func (Prep) Kind() Kind { return KindPrep }

// Validate implements [Message].
func (p Prep) Validate() error {
	return check(map[string]bool{
		"mesh id":    p.Mesh != ID{},
		"model name": ValidName(p.Model),
		"batch":      p.Batch >= 1 && p.Batch <= MaxBatch,
	})
}

// A Join opens any other stream of a mesh.
type Join struct {
	Mesh ID     `json:"mesh"`
	Lane string `json:"lane"` // which of the meshes of a job
}

// Kind implements [Message].
func (Join) Kind() Kind { return KindJoin }

// Validate implements [Message].
func (j Join) Validate() error {
	return check(map[string]bool{"mesh id": j.Mesh != ID{}, "lane": ValidName(j.Lane)})
}

// A Ping asks a party to answer with a Ping.
type Ping struct{}

// Kind implements [Message].
func (Ping) Kind() Kind { return KindPing }

// Validate implements [Message].
func (Ping) Validate() error { return nil }

// A Topic is something that parties must agree on before they compute.
type Topic int

// The topics of a [Hello].
const (
	TopicSuite Topic = iota
	TopicParties
	TopicModel
	TopicVersion
	TopicManifest
	TopicProgram
	TopicMaterial
	TopicSchedule
	TopicRequest
	Topics // their number
)

var topics = [Topics]struct {
	name string
	code Code
	hint string
}{
	TopicSuite:    {"protocol suite", CodeSuite, "run the same release of tacit at all parties"},
	TopicParties:  {"identities of the parties", CodeSuite, "compare the parties sections of the configurations"},
	TopicModel:    {"model name", CodeModel, ""},
	TopicVersion:  {"model version", CodeVersion, "deploy the model again"},
	TopicManifest: {"model manifest", CodeProgram, "deploy the model again"},
	TopicProgram:  {"program", CodeProgram, "deploy the model again"},
	TopicMaterial: {"material", CodeMaterial, "retry; the parties discard what they do not share"},
	TopicSchedule: {"evaluator schedule", CodeSuite, "run the same release of tacit at all parties"},
	TopicRequest:  {"request", CodeRequest, "retry"},
}

// A Refusal says, in a [Hello], why a party does not take part.
type Refusal byte

// The refusals. 0 means that the party takes part.
const (
	Willing Refusal = iota
	RefuseModel
	RefuseVersion
	RefuseMaterial
	RefuseRequest
	RefuseBusy
	RefuseStorage
	RefuseStopping
	refusals
)

var refusal = [refusals]struct {
	code    Code
	message string
	hint    string
}{
	RefuseModel:    {CodeModel, "does not serve this model", "deploy the model"},
	RefuseVersion:  {CodeVersion, "serves another version of this model", "deploy the model again"},
	RefuseMaterial: {CodeMaterial, "does not hold the proposed material", "retry; the parties discard what they do not share"},
	RefuseRequest:  {CodeRequest, "did not receive this request from the client", "check that the client reaches all parties"},
	RefuseBusy:     {CodeBusy, "has reached its limit of concurrent work", "retry later, or raise the limit"},
	RefuseStorage:  {CodeStorage, "cannot use its disk", "check space and permissions of its data directory"},
	RefuseStopping: {CodeStopping, "shuts down", "retry when it is back"},
}

// A Hello is the first message of every party to every other in a job. Two
// parties whose hellos differ in a topic do not compute with each other.
type Hello struct {
	Refusal Refusal
	// Absent has bit r set if the party lacks request r of a session, which
	// then goes on without it.
	Absent  uint64
	Nonce   ID
	Digests [Topics]ID
}

// HelloLen is the length of an encoded hello in bytes.
const HelloLen = 1 + 8 + 32*(1+int(Topics))

// Append appends the encoded hello to b.
func (h Hello) Append(b []byte) []byte {
	b = append(b, byte(h.Refusal))
	b = binary.LittleEndian.AppendUint64(b, h.Absent)
	b = append(b, h.Nonce[:]...)
	for _, d := range h.Digests {
		b = append(b, d[:]...)
	}
	return b
}

// ParseHello decodes a hello of [HelloLen] bytes.
func ParseHello(b []byte) (Hello, error) {
	var h Hello
	if len(b) != HelloLen {
		return h, fmt.Errorf("%w: hello of %d bytes, want %d", ErrMalformed, len(b), HelloLen)
	}
	h.Refusal = Refusal(b[0])
	if h.Refusal >= refusals {
		return h, fmt.Errorf("%w: unknown refusal %d", ErrMalformed, b[0])
	}
	h.Absent = binary.LittleEndian.Uint64(b[1:])
	b = b[9:]
	h.Nonce = ID(b[:32])
	for t := range h.Digests {
		h.Digests[t] = ID(b[32+32*t:])
	}
	return h, nil
}

// An Agreement is what the hellos of all parties define.
type Agreement struct {
	// Session is a hash of all nonces and topics, and of which requests are
	// part of the session.
	Session ID
	// Absent says which requests are not, and why: the error names a party
	// that lacks the request.
	Absent map[int]*Error
}

// Agree returns what the hellos of all parties, by index, define. It is an
// [*Error] that names a party and a topic if they do not define a session; all
// parties come to the same verdict.
func Agree(step string, hellos []Hello) (Agreement, error) {
	for i, h := range hellos {
		if h.Refusal != Willing {
			return Agreement{}, h.Refusal.of(i, step)
		}
	}
	for t := range Topics {
		for i, h := range hellos {
			if h.Digests[t] != hellos[0].Digests[t] {
				return Agreement{}, &Error{topics[t].code, i, step, fmt.Sprintf("its %s is %s, that of party 0 is %s",
					topics[t].name, h.Digests[t].Short(), hellos[0].Digests[t].Short()), topics[t].hint}
			}
		}
	}
	a := Agreement{Absent: map[int]*Error{}}
	var absent uint64
	for i, h := range hellos {
		for r := range MaxRequests {
			if h.Absent&^absent>>r&1 == 1 {
				a.Absent[r] = RefuseRequest.of(i, step)
			}
		}
		absent |= h.Absent
	}
	d := NewDigest("session", uint64(len(hellos)), absent)
	for _, h := range hellos {
		d.Add(h.Nonce[:])
	}
	for t := range Topics {
		d.Add(hellos[0].Digests[t][:])
	}
	a.Session = d.Sum()
	return a, nil
}

// of returns the error of a refusal by a party.
func (r Refusal) of(party int, step string) *Error {
	return &Error{refusal[r].code, party, step, refusal[r].message, refusal[r].hint}
}

// A Digest hashes a list of byte strings injectively: SHA-256 over a label and
// the strings, each preceded by its length.
type Digest struct{ h hash.Hash }

// NewDigest starts a digest for one purpose.
func NewDigest(label string, numbers ...uint64) *Digest {
	d := &Digest{sha256.New()}
	d.Add([]byte("tacit " + label))
	for _, n := range numbers {
		d.Add(binary.LittleEndian.AppendUint64(nil, n))
	}
	return d
}

// Add appends strings.
func (d *Digest) Add(parts ...[]byte) *Digest {
	for _, p := range parts {
		d.h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(p))))
		d.h.Write(p)
	}
	return d
}

// AddString appends strings.
func (d *Digest) AddString(parts ...string) *Digest {
	for _, p := range parts {
		d.Add([]byte(p))
	}
	return d
}

// Sum returns the digest.
func (d *Digest) Sum() ID { return ID(d.h.Sum(nil)) }
