// Package prep makes the correlated randomness of inferences, ahead of time and
// without a dealer.
//
// [Count] says what a program needs, a [Preparer] makes it for a batch of
// inferences at once, and each [Inference] is then spent by package infer. All
// operations of all layers and all inferences of a batch go through the same
// rounds, so that their number depends on the number of parties alone.
//
// Security: passive, up to n−1 corrupt parties; that of packages triple,
// linear, ot, product, garble, carry and compare, which it composes. Global keys, hash keys and every seed
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
	"github.com/tacit-mpc/tacit/protocol/product"
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
	hint           int // of the setup of triples
	options
	counts ot.Counts
	gates  int64
}

// Counts returns the oblivious transfers and products that have run so far.
func (p *Preparer) Counts() ot.Counts { return p.counts }

// Gates returns the number of And gates that were garbled or evaluated so far,
// and of products of masks.
func (p *Preparer) Gates() int64 { return p.gates }

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
func NewPreparer(otMesh, heMesh *transport.Mesh, rand io.Reader, program *model.Program, weights []*linear.Weights, hint int, opts ...Option) (*Preparer, error) {
	p := &Preparer{
		otMesh: otMesh, heMesh: heMesh, rand: rand, demand: Count(program, opts...), weights: weights,
		options: optionsOf(opts),
	}
	layers := tripleLayers(p.demand.Layers)
	p.hint = p.planned(layers, hint)
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
			p.triples, err = triple.Setup(heMesh, rand, layers, masks, p.hint)
			return err
		})
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// both runs the two halves side by side, each with a stream of randomness of
// its own. If one fails, both meshes are closed.
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
	run := func(half func(io.Reader) error, rand io.Reader) {
		halves.Go(func() {
			if err := half(rand); err != nil {
				once.Do(func() {
					first = err
					p.otMesh.Close()
					p.heMesh.Close()
				})
			}
		})
	}
	run(viaOT, streams[0])
	run(viaHE, streams[1])
	halves.Wait()
	return first
}

// Generate makes the material of batch inferences. All parties call it with the
// same batch and the same id, which must never repeat.
//
// Rounds: [PlanGenerate] counts them; their number does not depend on the number
// of layers, but grows with that of comparisons, by chunks.
func (p *Preparer) Generate(id [32]byte, batch int) ([]*Inference, error) {
	var all []*Inference
	err := p.GenerateTo(id, batch, func(x *Inference) error {
		all = append(all, x)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// GenerateTo is [Preparer.Generate], but hands each inference to the sink, in
// order, when it is complete, and keeps nothing of it. The error of the sink ends
// the session.
//
// Memory. Products of secrets are made for the whole batch first, 8 bytes for
// every element of their operands and results, and wait for the comparisons. Masks of linear layers are made in portions of 64 MiB, 8 bytes
// for every element of the inputs and outputs of the layers, or of one inference
// where that is more. At most three portions exist at a time: one is handed out,
// one waits, one is being made, for which package triple takes
// [triple.MultiplyMemory] more. Comparisons that are complete wait for the masks,
// up to 64 MiB of them at their length in the store; see [compare.Bound] for
// what making them takes.
func (p *Preparer) GenerateTo(id [32]byte, batch int, sink func(*Inference) error) error {
	d := newDelivery(sink, len(p.demand.Classes), waitingMemory/p.demand.Len(p.otMesh.N(), p.otMesh.Self()))
	return p.both(
		func(rand io.Reader) error {
			defer close(d.ended)
			if err := p.transfers(rand, id, batch, d); err != nil {
				return err
			}
			return d.hand(0)
		},
		func(rand io.Reader) error {
			defer close(d.portions)
			return p.layers(rand, batch, d)
		})
}

// transfers makes the material of all products of secrets and comparisons.
func (p *Preparer) transfers(rand io.Reader, id [32]byte, batch int, d *delivery) error {
	d.products = make([][]*product.Material, batch)
	if len(p.demand.Classes) == 0 {
		d.waiting = make([][]*compare.Material, batch)
	}
	if !p.demand.transfers() {
		return nil
	}
	key, err := p.batchKey(rand, id)
	if err != nil {
		return err
	}
	session, err := p.base.Fork(p.otMesh, rand, key, ot.Depth(p.depth))
	if err != nil {
		return err
	}
	defer func() {
		p.counts.Add(session.Counts())
		session.Erase()
	}()
	err = product.GenerateTo(p.otMesh, session, rand, p.demand.Products, batch, func(inference int, m *product.Material) error {
		d.products[inference] = append(d.products[inference], m)
		return nil
	})
	if err != nil || len(p.demand.Classes) == 0 {
		return err
	}
	work, err := compare.GenerateTo(p.otMesh, session, rand, p.demand.Classes, batch, d.take)
	p.gates += work.Gates
	return err
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

// layers makes the masks of all linear layers, and passes them on portion by
// portion.
func (p *Preparer) layers(rand io.Reader, batch int, d *delivery) error {
	seeds, err := p.zeroSeeds(rand, batch)
	if err != nil {
		return err
	}
	size := batch
	if len(p.weights) > 0 {
		if err := p.triples.CheckBatch(batch); err != nil {
			return err // before anything is made in vain
		}
		size = p.portion(p.heMesh.N(), tripleLayers(p.demand.Layers), p.hint, batch)
	}
	for from := 0; from < batch; from += size {
		now := portion{seeds: seeds[from:min(from+size, batch)]}
		if now.masks, err = p.masks(rand, len(now.seeds)); err != nil {
			return err
		}
		if !d.pass(now) {
			return nil // the other half has failed, and says why
		}
	}
	return nil
}

// masks makes the masks of all linear layers for some inferences,
// [layer][inference].
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
