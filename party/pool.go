package party

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tacit-mpc/tacit/internal/wire"
)

// errNotHeld means that a pool does not hold a material: it never did, or it
// has handed it out.
var errNotHeld = errors.New("material is not held")

// errUnusable means that a stored material cannot be read. It has been deleted.
var errUnusable = errors.New("stored material is unusable")

// maxMaterial bounds the file of one inference, in bytes.
const maxMaterial = 8 << 30

// A pool is the stock of material of one version of a model. It hands out each
// material at most once, also across crashes: the file is deleted and the
// directory synced before anyone gets to see the content. A crash may lose
// material, and cannot repeat any. A backup of the directory that is restored
// can: it must never be made.
//
// The oldest few are staged: deleted from disk and held in memory, so that
// taking them costs no disk access. A pool is safe for concurrent use.
type pool[T any] struct {
	files files
	dir   string
	depth int                       // how many to stage
	parse func(b []byte) (T, error) // what a file holds

	mu     sync.Mutex
	moving *sync.Cond             // a material has left the disk
	held   map[wire.Material]bool // on disk; false while it is being moved
	staged map[wire.Material]T    // in memory, no longer on disk
	closed bool
}

// openPool returns the pool in dir with what earlier runs have left there.
func openPool[T any](f files, dir string, depth int, parse func([]byte) (T, error)) (*pool[T], error) {
	p := &pool[T]{
		files: f, dir: dir, depth: depth, parse: parse,
		held: map[wire.Material]bool{}, staged: map[wire.Material]T{},
	}
	p.moving = sync.NewCond(&p.mu)
	names, err := f.List(dir)
	if err != nil {
		return nil, fmt.Errorf("material: %w", err)
	}
	for _, name := range names {
		id, err := parseMaterial(name)
		if err != nil {
			return nil, fmt.Errorf("material: %w", err)
		}
		p.held[id] = true
	}
	if err := p.burnEmpty(); err != nil {
		return nil, err
	}
	return p, nil
}

// burnEmpty deletes the files without content that are what a crash of the
// machine leaves of new ones.
func (p *pool[T]) burnEmpty() error {
	var empty []wire.Material
	for _, id := range p.sorted() {
		size, err := p.files.Size(filepath.Join(p.dir, id.String()))
		if err != nil {
			return fmt.Errorf("material: %w", err)
		}
		if size == 0 {
			empty = append(empty, id)
		}
	}
	return p.burn(empty)
}

// parseMaterial is the inverse of [wire.Material.String].
func parseMaterial(name string) (wire.Material, error) {
	var id wire.Material
	batch, index, ok := strings.Cut(name, "-")
	i, err := strconv.ParseUint(index, 10, 32)
	if !ok || err != nil || id.Batch.UnmarshalText([]byte(batch)) != nil {
		return id, fmt.Errorf("file %q does not belong here", name)
	}
	id.Index = uint32(i)
	return id, nil
}

// put stores a new material, but does not hand it out before it is admitted. A
// closed pool takes nothing. The file is not synced: a crash of the machine may
// take what is new with it, which is lost work and no more, as [prep.Demand.Parse]
// finds a file that is not whole, and parties compare what they hold.
func (p *pool[T]) put(id wire.Material, data []byte) error {
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return nil
	}
	if err := p.files.Add(filepath.Join(p.dir, id.String()), data); err != nil {
		return fmt.Errorf("store material: %w", err)
	}
	return nil
}

// admit makes stored materials available.
func (p *pool[T]) admit(ids ...wire.Material) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.files.Remove(p.dir, fileNames(ids)...)
	}
	for _, id := range ids {
		p.held[id] = true
	}
	return nil
}

func fileNames(ids []wire.Material) []string {
	var names []string
	for _, id := range ids {
		names = append(names, id.String())
	}
	return names
}

// level returns the number of materials.
func (p *pool[T]) level() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.held) + len(p.staged)
}

// ids returns all materials, the oldest first.
func (p *pool[T]) ids() []wire.Material {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sorted()
}

func (p *pool[T]) sorted() []wire.Material {
	all := slices.AppendSeq(slices.Collect(maps.Keys(p.held)), maps.Keys(p.staged))
	slices.SortFunc(all, wire.Material.Compare)
	return all
}

// reserve takes the n oldest materials. It returns no names if there are fewer.
func (p *pool[T]) reserve(n int) ([]wire.Material, []T, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if len(p.held)+len(p.staged) < n {
			return nil, nil, nil
		}
		if ids := p.sorted()[:n]; !p.inFlight(ids) {
			items, err := p.takeLocked(ids)
			return ids, items, err
		}
		p.moving.Wait() // others may have taken some in the meantime
	}
}

// take hands out materials. Whatever happens, none of them is handed out again.
func (p *pool[T]) take(ids []wire.Material) ([]T, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.takeLocked(ids)
}

// inFlight reports whether one of ids is on its way from disk to memory.
func (p *pool[T]) inFlight(ids []wire.Material) bool {
	return slices.ContainsFunc(ids, func(id wire.Material) bool {
		onDisk, held := p.held[id]
		return held && !onDisk
	})
}

// takeLocked removes ids from memory and disk and returns them if all of them
// were there and are gone from the disk for good.
func (p *pool[T]) takeLocked(ids []wire.Material) ([]T, error) {
	for p.inFlight(ids) {
		p.moving.Wait()
	}
	items := make([]T, len(ids))
	var fromDisk, missing []wire.Material
	for i, id := range ids {
		item, inMemory := p.staged[id]
		switch {
		case inMemory:
			items[i] = item
		case p.held[id]:
			fromDisk = append(fromDisk, id)
		default:
			missing = append(missing, id)
		}
		delete(p.staged, id)
		delete(p.held, id)
	}
	loaded, err := p.load(fromDisk)
	if len(missing) > 0 {
		return nil, errors.Join(fmt.Errorf("%w: %s, and %d more", errNotHeld, missing[0], len(missing)-1), err)
	}
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		if item, ok := loaded[id]; ok {
			items[i] = item
		}
	}
	return items, nil
}

// load reads materials and deletes them durably, in this order, and only then
// looks at what they hold.
func (p *pool[T]) load(ids []wire.Material) (map[wire.Material]T, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	data := make([][]byte, len(ids))
	var failed []error
	for i, id := range ids {
		var err error
		if data[i], err = p.files.Read(filepath.Join(p.dir, id.String()), maxMaterial); err != nil {
			failed = append(failed, err)
		}
	}
	if err := p.files.Remove(p.dir, fileNames(ids)...); err != nil {
		return nil, fmt.Errorf("material: delete: %w", err)
	}
	items := map[wire.Material]T{}
	for i, id := range ids {
		if data[i] == nil {
			continue
		}
		item, err := p.parse(data[i])
		if err != nil {
			failed = append(failed, fmt.Errorf("%w: %w", errUnusable, err))
			continue
		}
		items[id] = item
	}
	if err := errors.Join(failed...); err != nil {
		return items, fmt.Errorf("material: %w", err)
	}
	return items, nil
}

// stage moves the oldest materials into memory until depth are there, once
// half of them are used: several deletions then share one sync. What cannot be
// read is gone, and reported.
func (p *pool[T]) stage() error {
	next := p.nextToStage()
	if len(next) == 0 {
		return nil
	}
	items, err := p.load(next)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range next {
		item, ok := items[id]
		if _, wanted := p.held[id]; wanted && ok {
			p.staged[id] = item
		}
		delete(p.held, id)
	}
	p.moving.Broadcast()
	return err
}

// nextToStage marks the materials that are to be staged.
func (p *pool[T]) nextToStage() (next []wire.Material) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if 2*len(p.staged) > p.depth {
		return nil
	}
	for _, id := range p.sorted() {
		if len(next)+len(p.staged) >= p.depth {
			break
		}
		if p.held[id] {
			next = append(next, id)
			p.held[id] = false
		}
	}
	return next
}

// plenty reports whether the next few requests need no disk.
func (p *pool[T]) plenty() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return 4*len(p.staged) > p.depth
}

// keep discards all materials but those in ids.
func (p *pool[T]) keep(ids []wire.Material) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	wanted := map[wire.Material]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	return p.burn(slices.DeleteFunc(p.sorted(), func(id wire.Material) bool { return wanted[id] }))
}

// discard deletes materials, if they are there.
func (p *pool[T]) discard(ids []wire.Material) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.burn(ids)
}

func (p *pool[T]) burn(ids []wire.Material) error {
	for _, id := range ids {
		delete(p.held, id)
		delete(p.staged, id)
	}
	if len(ids) == 0 {
		return nil
	}
	if err := p.files.Remove(p.dir, fileNames(ids)...); err != nil {
		return fmt.Errorf("material: delete: %w", err)
	}
	return nil
}

// close discards everything, for good.
func (p *pool[T]) close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	return p.keep(nil)
}
