package wire

// Kinds of messages between clients and parties.
const (
	KindStatus   Kind = "status"
	KindReport   Kind = "report"
	KindLookup   Kind = "lookup"
	KindModel    Kind = "model"
	KindDeploy   Kind = "deploy"
	KindDeployed Kind = "deployed"
	KindPredict  Kind = "predict"
	KindAccept   Kind = "accept"
	KindShares   Kind = "shares"
	KindResult   Kind = "result"
)

// MaxBatch bounds the inferences of one request.
const MaxBatch = 4096

// SeedLen is the length of a share that is sent as a seed, in bytes.
const SeedLen = 32

// A StatusRequest asks a party for its [Status].
type StatusRequest struct{}

// Kind implements [Message].
func (StatusRequest) Kind() Kind { return KindStatus }

// Validate implements [Message].
func (StatusRequest) Validate() error { return nil }

// A Report answers a [StatusRequest]. Payload: the [Status] as JSON.
type Report struct {
	Len int64 `json:"len"`
}

// Kind implements [Message].
func (Report) Kind() Kind { return KindReport }

// Validate implements [Message].
func (r Report) Validate() error {
	return check(map[string]bool{"report length": r.Len >= 0 && r.Len <= MaxReport})
}

// A Lookup asks a party for the manifest of a model.
type Lookup struct {
	Model string `json:"model"`
	// Known is the digest of the manifest that the client has, if any.
	Known ID `json:"known,omitzero"`
}

// Kind implements [Message].
func (Lookup) Kind() Kind { return KindLookup }

// Validate implements [Message].
func (l Lookup) Validate() error { return check(map[string]bool{"model name": ValidName(l.Model)}) }

// A Model answers a [Lookup]. Payload: the manifest as JSON, of Len bytes,
// unless the client has it already (Len = 0).
type Model struct {
	Version  ID     `json:"version"`
	Seq      uint64 `json:"seq"`
	Manifest ID     `json:"manifest"`
	Len      int64  `json:"len"`
}

// Kind implements [Message].
func (Model) Kind() Kind { return KindModel }

// Validate implements [Message].
func (m Model) Validate() error {
	return check(map[string]bool{"manifest length": m.Len >= 0 && m.Len <= MaxManifest})
}

// A DeployRequest brings a party its part of a model. Payload: the manifest,
// then the shares: a seed, or all elements packed, tensor by tensor.
type DeployRequest struct {
	Model    string `json:"model"`
	Request  ID     `json:"request"`
	Manifest ID     `json:"manifest"` // digest
	Len      int64  `json:"len"`      // of the manifest as JSON
	Seed     bool   `json:"seed"`
}

// Kind implements [Message].
func (DeployRequest) Kind() Kind { return KindDeploy }

// Validate implements [Message].
func (d DeployRequest) Validate() error {
	return check(map[string]bool{
		"model name":      ValidName(d.Model),
		"request id":      d.Request != ID{},
		"manifest length": d.Len > 0 && d.Len <= MaxManifest,
	})
}

// A Deployed answers a [DeployRequest]: the model is served from now on.
type Deployed struct {
	Version  ID     `json:"version"`
	Seq      uint64 `json:"seq"`
	Manifest ID     `json:"manifest"`
}

// Kind implements [Message].
func (Deployed) Kind() Kind { return KindDeployed }

// Validate implements [Message].
func (d Deployed) Validate() error { return check(map[string]bool{"version": d.Version != ID{}}) }

// A PredictRequest asks all parties for a session on Batch inputs, which other
// clients may share. The parties then agree among themselves and each answers
// with an [Accept].
type PredictRequest struct {
	Model    string `json:"model"`
	Manifest ID     `json:"manifest"` // the client has encoded its input for this one
	Request  ID     `json:"request"`  // random; names the request at all parties
	Batch    int    `json:"batch"`
}

// Kind implements [Message].
func (PredictRequest) Kind() Kind { return KindPredict }

// Validate implements [Message].
func (p PredictRequest) Validate() error {
	return check(map[string]bool{
		"model name": ValidName(p.Model),
		"request id": p.Request != ID{},
		"batch":      p.Batch >= 1 && p.Batch <= MaxBatch,
	})
}

// An Accept tells the client what this party agreed on with the others. The
// client goes on only if all parties say the same.
type Accept struct {
	Session  ID `json:"session"`
	Version  ID `json:"version"`
	Manifest ID `json:"manifest"`
}

// Kind implements [Message].
func (Accept) Kind() Kind { return KindAccept }

// Validate implements [Message].
func (a Accept) Validate() error { return check(map[string]bool{"session id": a.Session != ID{}}) }

// Shares brings a party its share of the inputs, bound to the session. Payload:
// a seed, or Batch·Input elements packed to the width of the input.
type Shares struct {
	Session ID   `json:"session"`
	Seed    bool `json:"seed"`
}

// Kind implements [Message].
func (Shares) Kind() Kind { return KindShares }

// Validate implements [Message].
func (s Shares) Validate() error { return check(map[string]bool{"session id": s.Session != ID{}}) }

// A Result brings the client a party's share of the outputs. Payload:
// Batch·Output elements packed to the width of the output, then the
// [SessionStats] as JSON, of Stats bytes.
type Result struct {
	Session ID    `json:"session"`
	Stats   int64 `json:"stats"`
}

// Kind implements [Message].
func (Result) Kind() Kind { return KindResult }

// Validate implements [Message].
func (r Result) Validate() error {
	return check(map[string]bool{
		"session id":        r.Session != ID{},
		"statistics length": r.Stats >= 0 && r.Stats <= MaxReport,
	})
}

// Labels of the tensors that clients share by seeds. The index counts tensors.
const (
	LabelInput  = "client input"
	LabelWeight = "model weight"
)
