package party

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/infer"
	"github.com/tacit-mpc/tacit/protocol/prep"
	"github.com/tacit-mpc/tacit/transport"
)

// A version is one deployment of a model: what it computes, and this party's
// part of its weights.
type version struct {
	name     string
	seq      uint64  // counts the deployments of the name
	id       wire.ID // digest of the manifest and of all parties' commitments to their weights
	manifest *model.Manifest
	encoded  []byte  // the manifest, as its owner sent it
	digest   wire.ID // of the manifest
	program  wire.ID // digest of the program
	demand   prep.Demand
	weights  *infer.Weights
	pool     *pool[*prep.Inference]
	stock    *stock // guarded by Party.mu; nil until the version is served
}

// newVersion returns the public part of a version.
func newVersion(name string, seq uint64, encoded []byte) (*version, error) {
	m, err := model.ParseManifest(encoded)
	if err != nil {
		return nil, err
	}
	program, err := json.Marshal(m.Program)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return &version{
		name: name, seq: seq, manifest: m, encoded: encoded,
		digest:  m.Digest(),
		program: wire.NewDigest("program").Add(program).Sum(),
		demand:  prep.Count(&m.Program, prep.Options(m)...),
	}, nil
}

// traffic returns the steps of a session on rows inputs, as party self of n.
func (v *version) traffic(n, self, rows int) []transport.Stats {
	return infer.Plan(&v.manifest.Program, n, self, rows, prep.Options(v.manifest)...)
}

// A record is what the disk says about a version.
type record struct {
	Name    string  `json:"name"`
	Seq     uint64  `json:"seq"`
	Version wire.ID `json:"version"`
	Weights wire.ID `json:"weights"` // SHA-256 of the file
}

// A registry keeps the models of a party on disk:
//
//	models/NAME/current                 the id of the version that is served
//	models/NAME/VERSION/record.json     see record
//	models/NAME/VERSION/manifest.json
//	models/NAME/VERSION/weights         this party's part
//	material/VERSION/BATCH-INDEX        the pool
//
// A version that is not current is one of a deployment whose end this party has
// not heard of; party 0 knows it.
type registry struct {
	files   files
	dir     string
	self, n int
	depth   func(v *version) int // how much material to stage

	mu       sync.Mutex
	versions map[string]map[wire.ID]*version
	current  map[string]wire.ID
}

// openRegistry loads all models. Those that cannot be read are reported and
// left out; the error does not make the rest unusable.
func openRegistry(f files, dir string, self, n int, depth func(v *version) int) (*registry, error) {
	r := &registry{
		files: f, dir: dir, self: self, n: n, depth: depth,
		versions: map[string]map[wire.ID]*version{}, current: map[string]wire.ID{},
	}
	names, err := f.List(filepath.Join(dir, "models"))
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	var broken []error
	for _, name := range names {
		if err := r.load(name); err != nil {
			broken = append(broken, fmt.Errorf("model %s: %w", name, err))
			if _, ok := r.current[name]; !ok {
				delete(r.versions, name) // not known what is current: nothing is touched
			}
		}
	}
	return r, errors.Join(broken...)
}

func (r *registry) path(name string, id wire.ID, file string) string {
	return filepath.Join(r.dir, "models", name, id.String(), file)
}

func (r *registry) load(name string) error {
	entries, err := r.files.List(filepath.Join(r.dir, "models", name))
	if err != nil {
		return err
	}
	r.versions[name] = map[wire.ID]*version{}
	var broken []error
	for _, e := range entries {
		var id wire.ID
		if id.UnmarshalText([]byte(e)) != nil {
			continue
		}
		v, err := r.loadVersion(name, id)
		if err != nil {
			broken = append(broken, fmt.Errorf("version %s: %w", id.Short(), err))
			continue
		}
		r.versions[name][id] = v
	}
	if slices.Contains(entries, "current") {
		text, err := r.files.Read(filepath.Join(r.dir, "models", name, "current"), 1024)
		var id wire.ID
		if err == nil {
			err = id.UnmarshalText(bytes.TrimSpace(text))
		}
		if err == nil && r.versions[name][id] == nil {
			err = fmt.Errorf("the current version %s is not there", id.Short())
		}
		if err != nil {
			return errors.Join(append(broken, err)...)
		}
		r.current[name] = id
	}
	return errors.Join(broken...)
}

func (r *registry) loadVersion(name string, id wire.ID) (*version, error) {
	const anySize = 1 << 40
	text, err := r.files.Read(r.path(name, id, "record.json"), 1<<16)
	if err != nil {
		return nil, err
	}
	var rec record
	if err := json.Unmarshal(text, &rec); err != nil {
		return nil, err
	}
	if rec.Name != name || rec.Version != id {
		return nil, errors.New("the record is of another version")
	}
	encoded, err := r.files.Read(r.path(name, id, "manifest.json"), wire.MaxManifest)
	if err != nil {
		return nil, err
	}
	v, err := newVersion(name, rec.Seq, encoded)
	if err != nil {
		return nil, err
	}
	v.id = id
	weights, err := r.files.Read(r.path(name, id, "weights"), anySize)
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(weights) != rec.Weights {
		return nil, errors.New("the weights are corrupt")
	}
	if v.weights, err = infer.ParseWeights(r.self, &v.manifest.Program, weights); err != nil {
		return nil, err
	}
	return v, r.openPool(v)
}

func (r *registry) materialDir(id wire.ID) string {
	return filepath.Join(r.dir, "material", id.String())
}

func (r *registry) openPool(v *version) (err error) {
	parse := func(b []byte) (*prep.Inference, error) { return v.demand.Parse(r.n, r.self, b) }
	v.pool, err = openPool(r.files, r.materialDir(v.id), r.depth(v), parse)
	return err
}

// get returns the version of a model that is served, nil if there is none.
func (r *registry) get(name string) *version {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, ok := r.current[name]
	if !ok {
		return nil
	}
	return r.versions[name][id]
}

// find returns a version of a model, current or not, nil if there is none.
func (r *registry) find(name string, id wire.ID) *version {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.versions[name][id]
}

// all returns the versions that are served, by name.
func (r *registry) all() []*version {
	r.mu.Lock()
	defer r.mu.Unlock()
	var vs []*version
	for _, name := range slices.Sorted(maps.Keys(r.current)) {
		vs = append(vs, r.versions[name][r.current[name]])
	}
	return vs
}

// lastSeq returns the highest number of a version of the name, 0 if none.
func (r *registry) lastSeq(name string) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var last uint64
	for _, v := range r.versions[name] {
		last = max(last, v.seq)
	}
	return last
}

// put stores a version durably, without serving it.
func (r *registry) put(v *version) error {
	weights, err := v.weights.AppendBinary(&v.manifest.Program, nil)
	if err != nil {
		return fmt.Errorf("store model: %w", err)
	}
	text, err := json.Marshal(record{v.name, v.seq, v.id, sha256.Sum256(weights)})
	if err != nil {
		return fmt.Errorf("store model: %w", err)
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{"weights", weights}, {"manifest.json", v.encoded}, {"record.json", text}} {
		if err := r.files.Write(r.path(v.name, v.id, f.name), f.data); err != nil {
			return fmt.Errorf("store model: %w", err)
		}
	}
	if err := syncDir(filepath.Join(r.dir, "models", v.name)); err != nil {
		return fmt.Errorf("store model: %w", err)
	}
	if err := r.openPool(v); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.versions[v.name] == nil {
		r.versions[v.name] = map[wire.ID]*version{}
	}
	r.versions[v.name][v.id] = v
	return nil
}

// serve makes a stored version the current one and deletes all others, with
// their material.
func (r *registry) serve(v *version) error {
	if err := r.files.Write(filepath.Join(r.dir, "models", v.name, "current"), []byte(v.id.String()+"\n")); err != nil {
		return fmt.Errorf("serve model: %w", err)
	}
	r.mu.Lock()
	r.current[v.name] = v.id
	r.mu.Unlock()
	return r.dropOthers(v)
}

// dropOthers deletes all versions of the name of v but v.
func (r *registry) dropOthers(v *version) error {
	r.mu.Lock()
	others := slices.Collect(maps.Values(r.versions[v.name]))
	r.mu.Unlock()
	var errs []error
	for _, o := range others {
		if o != v {
			errs = append(errs, r.drop(o))
		}
	}
	return errors.Join(errs...)
}

// abandon deletes all versions that are not served. Party 0 does it when it
// starts: what it does not serve, nobody does.
func (r *registry) abandon() error {
	var errs []error
	for name, versions := range r.versions {
		for id, v := range versions {
			if r.current[name] != id {
				errs = append(errs, r.drop(v))
			}
		}
	}
	return errors.Join(errs...)
}

// drop deletes a version that is not served.
func (r *registry) drop(v *version) error {
	r.mu.Lock()
	delete(r.versions[v.name], v.id)
	r.mu.Unlock()
	var err error
	if v.pool != nil {
		err = v.pool.close()
	}
	return errors.Join(err, os.RemoveAll(r.materialDir(v.id)),
		os.RemoveAll(filepath.Join(r.dir, "models", v.name, v.id.String())))
}
