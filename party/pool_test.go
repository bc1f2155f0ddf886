package party

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/tacit-mpc/tacit/internal/wire"
)

// A fakeDisk is a disk that remembers what was done to it and can fail.
type fakeDisk struct {
	files
	mu      sync.Mutex
	log     []string              // "write NAME", "read NAME", "remove NAME"
	full    bool                  // writes fail
	broken  func(op string) error // of every operation, if set
	removed func()                // called after a removal is durable
}

func (d *fakeDisk) note(op string, names ...string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range names {
		d.log = append(d.log, op+" "+filepath.Base(name))
	}
	if d.full && op == "write" {
		return &os.PathError{Op: "write", Path: names[0], Err: syscall.ENOSPC}
	}
	if d.broken != nil {
		return d.broken(op)
	}
	return nil
}

func (d *fakeDisk) Write(name string, data []byte) error {
	if err := d.note("write", name); err != nil {
		return err
	}
	return d.files.Write(name, data)
}

func (d *fakeDisk) Add(name string, data []byte) error {
	if err := d.note("write", name); err != nil {
		return err
	}
	return d.files.Add(name, data)
}

func (d *fakeDisk) Read(name string, limit int64) ([]byte, error) {
	if err := d.note("read", name); err != nil {
		return nil, err
	}
	return d.files.Read(name, limit)
}

func (d *fakeDisk) Remove(dir string, names ...string) error {
	if err := d.note("remove", names...); err != nil {
		return err
	}
	err := d.files.Remove(dir, names...)
	if d.removed != nil {
		d.removed()
	}
	return err
}

func (d *fakeDisk) set(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

func materials(n int) (ids []wire.Material, data [][]byte) {
	for i := range n {
		ids = append(ids, wire.Material{Batch: wire.ID{byte(i / 3), 7}, Index: uint32(i % 3)})
		data = append(data, fmt.Appendf(nil, "material %d", i))
	}
	return ids, data
}

func text(b []byte) (string, error) {
	if strings.HasPrefix(string(b), "bad") {
		return "", errors.New("corrupt")
	}
	return string(b), nil
}

func newTestPool(t *testing.T, f files, dir string, depth int) *pool[string] {
	t.Helper()
	p, err := openPool(f, dir, depth, text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPoolHandsOutOldestFirstAndOnce(t *testing.T) {
	p := newTestPool(t, disk{}, filepath.Join(t.TempDir(), "pool"), 2)
	ids, data := materials(6)
	if err := addAll(p, ids, data); err != nil {
		t.Fatal(err)
	}
	if err := p.stage(); err != nil {
		t.Fatal(err)
	}
	got, items, err := p.reserve(4) // two from memory, two from disk
	if err != nil || !slices.Equal(got, ids[:4]) {
		t.Fatalf("got %v, %v", got, err)
	}
	for i, item := range items {
		if item != string(data[i]) {
			t.Errorf("material %d: got %q", i, item)
		}
	}
	if _, err := p.take(ids[:1]); !errors.Is(err, errNotHeld) {
		t.Errorf("second use: got %v, want errNotHeld", err)
	}
	if got, _, err := p.reserve(3); got != nil || err != nil {
		t.Errorf("more than there are: got %v, %v", got, err)
	}
	if p.level() != 2 {
		t.Errorf("level %d, want 2", p.level())
	}
}

func TestPoolSurvivesRestartWithoutRepeating(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pool")
	p := newTestPool(t, disk{}, dir, 2)
	ids, data := materials(6)
	if err := addAll(p, ids, data); err != nil {
		t.Fatal(err)
	}
	if err := p.stage(); err != nil { // 0 and 1 are in memory and lost with the process
		t.Fatal(err)
	}
	if _, err := p.take(ids[3:4]); err != nil {
		t.Fatal(err)
	}
	again := newTestPool(t, disk{}, dir, 2)
	want := []wire.Material{ids[2], ids[4], ids[5]}
	if got := again.ids(); !slices.Equal(got, want) {
		t.Errorf("after the restart %v, want %v", got, want)
	}
}

func TestPoolDeletesDurablyBeforeHandingOut(t *testing.T) {
	d := &fakeDisk{files: disk{}}
	dir := filepath.Join(t.TempDir(), "pool")
	p := newTestPool(t, d, dir, 0)
	ids, data := materials(1)
	if err := addAll(p, ids, data); err != nil {
		t.Fatal(err)
	}
	var removed bool
	d.removed = func() { removed = true }
	p.parse = func(b []byte) (string, error) {
		if !removed {
			t.Error("the content is looked at before its file is gone")
		}
		if _, err := os.Stat(filepath.Join(dir, ids[0].String())); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the file is still there: %v", err)
		}
		return text(b)
	}
	if _, err := p.take(ids); err != nil {
		t.Fatal(err)
	}
	name := ids[0].String()
	if want := []string{"write " + name, "read " + name, "remove " + name}; !slices.Equal(d.log, want) {
		t.Errorf("operations %v, want %v", d.log, want)
	}
}

func TestPoolKeepsWhatItCannotDelete(t *testing.T) {
	d := &fakeDisk{files: disk{}}
	p := newTestPool(t, d, filepath.Join(t.TempDir(), "pool"), 0)
	ids, data := materials(2)
	if err := addAll(p, ids, data); err != nil {
		t.Fatal(err)
	}
	d.broken = func(op string) error {
		if op == "remove" {
			return syscall.EIO
		}
		return nil
	}
	if items, err := p.take(ids[:1]); err == nil {
		t.Fatalf("handed out %v although its file may come back", items)
	}
	d.broken = nil
	if _, err := p.take(ids[:1]); !errors.Is(err, errNotHeld) {
		t.Errorf("a burnt material: got %v", err)
	}
	if _, err := p.take(ids[1:]); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

func TestPoolBurnsBadFiles(t *testing.T) {
	for _, depth := range []int{0, 1} {
		p := newTestPool(t, disk{}, filepath.Join(t.TempDir(), "pool"), depth)
		ids, data := materials(2)
		data[0] = []byte("bad")
		if err := addAll(p, ids, data); err != nil {
			t.Fatal(err)
		}
		if depth == 0 {
			if _, err := p.take(ids[:1]); err == nil {
				t.Error("a corrupt file is handed out")
			}
		} else if p.stage() == nil {
			t.Error("a corrupt file is staged")
		}
		if got := p.ids(); !slices.Equal(got, ids[1:]) {
			t.Errorf("depth %d: left %v, want %v", depth, got, ids[1:])
		}
	}
}

// TestPoolAfterACrashOfTheMachine leaves new files empty, or cut short, which are
// never handed out; what is next to them is.
func TestPoolAfterACrashOfTheMachine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pool")
	ids, data := materials(4)
	if err := addAll(newTestPool(t, disk{}, dir, 0), ids, data); err != nil {
		t.Fatal(err)
	}
	for i, size := range []int64{0, 5} {
		if err := os.Truncate(filepath.Join(dir, ids[i].String()), size); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "."+ids[0].String()), data[0], fileMode); err != nil { // not renamed
		t.Fatal(err)
	}
	p, err := openPool(disk{}, dir, 0, func(b []byte) (string, error) {
		if len(b) != len(data[0]) {
			return "", errors.New("checksum")
		}
		return string(b), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.ids(); !slices.Equal(got, ids[1:]) {
		t.Errorf("after the crash %v, want %v", got, ids[1:])
	}
	if items, err := p.take(ids[1:2]); !errors.Is(err, errUnusable) {
		t.Errorf("a file cut short is handed out: %v, %v", items, err)
	}
	if items, err := p.take(ids[2:]); err != nil || items[0] != string(data[2]) || items[1] != string(data[3]) {
		t.Errorf("the others: %v, %v", items, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestPoolAddIsAllOrNothing(t *testing.T) {
	d := &fakeDisk{files: disk{}}
	dir := filepath.Join(t.TempDir(), "pool")
	p := newTestPool(t, d, dir, 0)
	ids, data := materials(3)
	writes := 0
	d.broken = func(op string) error {
		if op == "write" {
			if writes++; writes == 3 {
				return &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
			}
		}
		return nil
	}
	if err := addAll(p, ids, data); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v", err)
	}
	if p.level() != 0 {
		t.Errorf("level %d after a failed add", p.level())
	}
	if got := newTestPool(t, disk{}, dir, 0).ids(); len(got) != 0 {
		t.Errorf("a failed add has left %v", got)
	}
}

func TestPoolKeepBurnsTheRest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pool")
	p := newTestPool(t, disk{}, dir, 2)
	ids, data := materials(6)
	if err := addAll(p, ids, data); err != nil {
		t.Fatal(err)
	}
	if err := p.stage(); err != nil {
		t.Fatal(err)
	}
	kept := []wire.Material{ids[1], ids[4]}
	if err := p.keep(kept); err != nil {
		t.Fatal(err)
	}
	if got := p.ids(); !slices.Equal(got, kept) {
		t.Errorf("kept %v, want %v", got, kept)
	}
	if got := newTestPool(t, disk{}, dir, 0).ids(); !slices.Equal(got, kept[1:]) {
		t.Errorf("on disk %v, want %v", got, kept[1:])
	}
	if _, err := p.take([]wire.Material{ids[1], ids[2]}); !errors.Is(err, errNotHeld) {
		t.Errorf("got %v", err)
	}
	if _, err := p.take(ids[1:2]); !errors.Is(err, errNotHeld) {
		t.Errorf("a failed take must burn all it was asked for: got %v", err)
	}
}

func TestPoolRefusesForeignFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openPool(disk{}, dir, 0, text); err == nil {
		t.Error("a foreign file is taken for material")
	}
}

func TestPoolIsPrivateAndRemovesTemporaryFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pool")
	p := newTestPool(t, disk{}, dir, 0)
	ids, data := materials(1)
	if err := addAll(p, ids, data); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{dir: os.ModeDir | dirMode, filepath.Join(dir, ids[0].String()): fileMode} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, want %v (%v)", name, info.Mode(), want, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "."+ids[0].String()+"123"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if again := newTestPool(t, disk{}, dir, 0); again.level() != 1 {
		t.Errorf("level %d, want 1", again.level())
	}
}

// TestPoolUnderContention hands out every material exactly once to many takers
// while it is being staged.
func TestPoolUnderContention(t *testing.T) {
	p := newTestPool(t, disk{}, filepath.Join(t.TempDir(), "pool"), 3)
	ids, data := materials(60)
	if err := addAll(p, ids, data); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[wire.Material]int{}
	var takers sync.WaitGroup
	for range 4 {
		takers.Go(func() {
			for {
				got, _, err := p.reserve(3)
				if err != nil {
					t.Error(err)
				}
				if got == nil {
					return
				}
				mu.Lock()
				for _, id := range got {
					seen[id]++
				}
				mu.Unlock()
			}
		})
	}
	takers.Go(func() {
		for p.level() > 0 {
			if err := p.stage(); err != nil {
				t.Error(err)
			}
		}
	})
	takers.Wait()
	for _, id := range ids {
		if seen[id] != 1 {
			t.Errorf("material %v was handed out %d times", id, seen[id])
		}
	}
}

func FuzzMaterialName(f *testing.F) {
	ids, _ := materials(1)
	f.Add(ids[0].String())
	f.Add("-1")
	f.Fuzz(func(t *testing.T, name string) {
		if id, err := parseMaterial(name); err == nil && id.String() != name {
			// Leading zeros of the index may differ; the name must still lead back.
			if again, err := parseMaterial(id.String()); err != nil || again != id {
				t.Errorf("%q: %v, %v", name, again, err)
			}
		}
	})
}

// addAll stores and admits materials, all or none.
func addAll[T any](p *pool[T], ids []wire.Material, data [][]byte) error {
	for i, id := range ids {
		if err := p.put(id, data[i]); err != nil {
			return errors.Join(err, p.discard(ids))
		}
	}
	return p.admit(ids...)
}
