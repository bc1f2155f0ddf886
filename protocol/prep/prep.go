// Package prep makes the correlated randomness of inferences, ahead of time and
// without a dealer.
//
// [Count] says what a program needs, a [Preparer] makes it for a batch of
// inferences at once, and each [Inference] is then spent by package infer. All
// operations of all layers and all inferences of a batch go through the same
// rounds, so that their number depends on the number of parties alone.
//
// Security: passive, up to n−1 corrupt parties; that of packages triple, ot,
// garble and compare, which it composes. Global keys, hash keys and every seed
// are fresh for each batch. A failed batch is dropped whole at this party, and
// the peers' halves are useless without it.
//
// Reference: docs/protocols.md.
//
// Deviations: none beyond those of the packages it composes.
package prep

import (
	"crypto/sha256"
	"fmt"
	"io"
	"sync"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/compare"
	"github.com/tacit-mpc/tacit/protocol/linear"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/protocol/share"
	"github.com/tacit-mpc/tacit/protocol/triple"
	"github.com/tacit-mpc/tacit/transport"
)

// A Preparer makes material for one version of a model. It holds what outlives
// a batch: base OTs with every party and the encrypted weight masks.
//
// The two halves of the work, oblivious transfer and homomorphic encryption,
// run side by side on meshes of their own. The first error is final.
type Preparer struct {
	otMesh, heMesh *transport.Mesh
	rand           io.Reader
	demand         Demand
	weights        []*linear.Weights
	base           *ot.Base
	triples        *triple.Context
	counts         ot.Counts
}

// Counts returns the oblivious transfers and products that have run so far.
func (p *Preparer) Counts() ot.Counts { return p.counts }

// Ciphertexts returns the number of ciphertexts made so far.
func (p *Preparer) Ciphertexts() int64 {
	if p.triples == nil {
		return 0
	}
	return p.triples.Ciphertexts()
}

// Close forgets the base OTs, whose theft would open recorded batches, and ends
// the session at all parties.
func (p *Preparer) Close() {
	if p.base != nil {
		p.base.Erase()
	}
	p.base, p.triples = nil, nil
	p.otMesh.Close()
	p.heMesh.Close()
}

// NewPreparer sets up a preparation session among all parties, who call it with
// the same program and hint, the usual size of a batch. The weights are this
// party's resident weights, in the order of Count(program).Layers.
//
// Rounds: 3 on the first mesh, for base OTs, and 2 on the second, for keys and
// encrypted weight masks.
func NewPreparer(otMesh, heMesh *transport.Mesh, rand io.Reader, program *model.Program, weights []*linear.Weights, hint int) (*Preparer, error) {
	p := &Preparer{otMesh: otMesh, heMesh: heMesh, rand: rand, demand: Count(program), weights: weights}
	err := p.both(
		func(rand io.Reader) (err error) {
			p.base, err = ot.Setup(otMesh, rand)
			return err
		},
		func(rand io.Reader) (err error) {
			if len(weights) == 0 {
				return nil
			}
			masks := make([][]uint64, len(weights))
			for i, w := range weights {
				masks[i] = w.B
			}
			p.triples, err = triple.Setup(heMesh, rand, tripleLayers(p.demand.Layers), masks, hint)
			return err
		})
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// both runs the two halves side by side, each with a stream of randomness of
// its own. If one fails, its mesh is closed; the other is closed here.
func (p *Preparer) both(viaOT, viaHE func(rand io.Reader) error) error {
	streams := [2]*prg.Stream{}
	for i := range streams {
		var seed [32]byte
		if _, err := io.ReadFull(p.rand, seed[:]); err != nil {
			return fmt.Errorf("preparation: %w", err)
		}
		streams[i] = prg.NewStream(seed, "preparation", uint64(i))
	}
	var (
		halves sync.WaitGroup
		once   sync.Once
		first  error
	)
	run := func(half func(io.Reader) error, rand io.Reader, other *transport.Mesh) {
		halves.Go(func() {
			if err := half(rand); err != nil {
				once.Do(func() {
					first = err
					other.Close()
				})
			}
		})
	}
	run(viaOT, streams[0], p.heMesh)
	run(viaHE, streams[1], p.otMesh)
	halves.Wait()
	return first
}

// Generate makes the material of batch inferences. All parties call it with the
// same batch and the same id, which must never repeat.
//
// Rounds: [Plan] lists them; their number does not depend on the program.
func (p *Preparer) Generate(id [32]byte, batch int) ([]*Inference, error) {
	var (
		seeds [][]share.Seed
		mats  [][]*compare.Material
		masks [][]*linear.Mask
	)
	err := p.both(
		func(rand io.Reader) (err error) {
			mats, err = p.comparisons(rand, id, batch)
			return err
		},
		func(rand io.Reader) (err error) {
			if seeds, err = p.zeroSeeds(rand, batch); err != nil {
				return err
			}
			masks, err = p.masks(rand, batch)
			return err
		})
	if err != nil {
		return nil, err
	}
	out := make([]*Inference, batch)
	for i := range out {
		out[i] = &Inference{zero: seeds[i]}
		for _, layer := range masks {
			out[i].masks = append(out[i].masks, layer[i])
		}
		if mats != nil {
			out[i].mats = mats[i]
		}
	}
	return out, nil
}

// comparisons makes the material of all comparisons, [inference][class].
func (p *Preparer) comparisons(rand io.Reader, id [32]byte, batch int) ([][]*compare.Material, error) {
	if len(p.demand.Classes) == 0 {
		return nil, nil
	}
	key, err := p.batchKey(rand, id)
	if err != nil {
		return nil, err
	}
	session, err := p.base.Fork(p.otMesh, rand, key, ot.Depth(treeDepth))
	if err != nil {
		return nil, err
	}
	defer func() {
		p.counts.Add(session.Counts())
		session.Erase()
	}()
	return compare.Generate(p.otMesh, session, rand, p.demand.Classes, batch)
}

// batchKey derives the public key of the hashes of a batch, to which every party
// contributes, so that it is fresh if one of them is honest.
func (p *Preparer) batchKey(rand io.Reader, id [32]byte) ([]byte, error) {
	nonce := make([]byte, 32)
	if _, err := io.ReadFull(rand, nonce); err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	nonces, err := p.otMesh.Broadcast("batch: nonces", nonce)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	h.Write([]byte("tacit batch key"))
	h.Write(id[:])
	for _, nonce := range nonces {
		h.Write(nonce)
	}
	return h.Sum(nil), nil
}

// zeroSeeds gives every inference seeds that this party shares with each other.
func (p *Preparer) zeroSeeds(rand io.Reader, batch int) ([][]share.Seed, error) {
	pairs, err := share.PairSeeds(p.heMesh, "batch: zero-sharing seeds", rand)
	if err != nil {
		return nil, err
	}
	seeds := make([][]share.Seed, batch)
	for i := range seeds {
		seeds[i] = make([]share.Seed, len(pairs))
		for j, pair := range pairs {
			if j == p.heMesh.Self() {
				continue
			}
			s := prg.NewStream(pair, "zero-sharing seed", uint64(i))
			if _, err := io.ReadFull(s, seeds[i][j][:]); err != nil {
				return nil, fmt.Errorf("batch: %w", err)
			}
		}
	}
	return seeds, nil
}

// masks makes the masks of all linear layers, [layer][inference].
func (p *Preparer) masks(rand io.Reader, batch int) ([][]*linear.Mask, error) {
	if len(p.weights) == 0 {
		return nil, nil
	}
	a := make([][]uint64, len(p.weights))
	for i, w := range p.weights {
		a[i] = make([]uint64, batch*w.Conv.InLen())
		if err := ring.Random(rand, a[i], w.Width); err != nil {
			return nil, fmt.Errorf("masks: %w", err)
		}
	}
	c, err := p.triples.Multiply(p.heMesh, rand, a, batch)
	if err != nil {
		return nil, err
	}
	masks := make([][]*linear.Mask, len(p.weights))
	for i, w := range p.weights {
		masks[i] = w.Masks(a[i], c[i])
	}
	return masks, nil
}
