package compare

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tacit-mpc/tacit/internal/prg"
	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/carry"
	"github.com/tacit-mpc/tacit/protocol/garble"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/transport"
)

// panics returns the message with which f panics, or "".
func panics(f func()) (msg string) {
	defer func() {
		if r := recover(); r != nil {
			msg = fmt.Sprint(r)
		}
	}()
	f()
	return ""
}

// noise is a Material of the class with random content.
func noise(t testing.TB, c Class, n, self, index int) *Material {
	t.Helper()
	rng := tape(11, self)
	m, err := newMaterial(c, n, self, index, name{1, 2, 3}, prg.Block{5, 6}, rng)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range m.fields() {
		if err := ring.Random(rng, f.v, f.width); err != nil {
			t.Fatal(err)
		}
	}
	if c.carried() {
		if err := ring.Random(rng, m.terms, 64); err != nil {
			t.Fatal(err)
		}
		if !carry.ReadPlanes(m.terms, carry.AppendPlanes(nil, m.terms, c.N), c.N) {
			t.Fatal("stray bits")
		}
	}
	if !c.garbled() {
		return m
	}
	for _, b := range c.blocks(n, self) {
		for k := range c.signs() {
			batch := c.batch(n, self, index, m.id, b, k)
			table := make([]byte, garble.TableLen(batch.Circuit, n, batch.Len))
			if _, err := io.ReadFull(rng, table[:len(table)-1]); err != nil {
				t.Fatal(err)
			}
			parsed, err := garble.ParseTables(batch, table)
			if err != nil {
				t.Fatal(err)
			}
			m.tables = append(m.tables, parsed)
		}
	}
	return m
}

var someClasses = []Class{
	{KindReLU, 20, 32, 13, 1, 0, Garbled}, {KindReLU, 6, 6, 7, 2, 0, Garbled}, {KindReLU, 9, 4, 2, 3, 0, Garbled}, {KindReLU, 2, 64, 3, 4, 0, Garbled},
	{KindMax, 11, 11, 9, 5, 0, Garbled}, {KindLift, 14, 20, 5, 6, 0, Garbled}, {KindLift, 14, 10, 5, 7, 0, Garbled},
	{KindReLU, 20, 32, 13, 8, 0, Carry}, {KindMax, 4, 4, 200, 9, 0, Carry}, {KindReLU, 30, 20, 128, 10, 0, Carry}, {KindLift, 14, 20, 5, 11, 0, Carry},
	{KindStep, 18, 5, 130, 12, 0, Carry}, {KindStep, 4, 9, 13, 13, 0, Garbled},
	{KindSpline, 18, 36, 130, 14, 9, Carry}, {KindSpline, 7, 4, 13, 15, 3, Garbled}, {KindSpline, 6, 9, 2, 16, 2, Garbled},
}

func TestMaterialSurvivesItsEncoding(t *testing.T) {
	for _, c := range someClasses {
		for _, n := range []int{2, 3, 5} {
			for self := range n {
				m := noise(t, c, n, self, 7)
				data, err := m.AppendBinary([]byte("x"))
				if err != nil {
					t.Fatal(err)
				}
				if data = data[1:]; len(data) != c.EncodedLen(n, self) {
					t.Fatalf("%v: %d bytes, want %d", c, len(data), c.EncodedLen(n, self))
				}
				parsed, err := ParseMaterial(c, n, self, data)
				if err != nil {
					t.Fatalf("%v: %v", c, err)
				}
				again, err := parsed.AppendBinary(nil)
				if err != nil || !bytes.Equal(data, again) {
					t.Fatalf("%v: party %d of %d: another encoding after parsing", c, self, n)
				}
			}
		}
	}
}

func TestParseMaterialRefuses(t *testing.T) {
	c := Class{KindReLU, 9, 12, 10, 1, 0, Garbled}
	good, err := noise(t, c, 3, 1, 0).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(good)) }
	vectors := 8
	for _, f := range noise(t, c, 3, 1, 0).fields() {
		vectors += ring.PackedLen(len(f.v), f.width)
	}
	for _, test := range []struct {
		name    string
		class   Class
		n, self int
		data    []byte
		want    string
	}{
		{"nothing", c, 3, 1, nil, "0 bytes"},
		{"one byte less", c, 3, 1, good[:len(good)-1], "bytes, want"},
		{"one byte more", c, 3, 1, append(bytes.Clone(good), 0), "bytes, want"},
		{"another class", Class{KindReLU, 9, 13, 10, 1, 0, Garbled}, 3, 1, good, "bytes, want"},
		{"an invalid class", Class{KindReLU, 1, 13, 11, 1, 0, Garbled}, 3, 1, good, "1 bits"},
		{"an unknown back end", Class{KindReLU, 9, 12, 10, 1, 0, 2}, 3, 1, good, "unknown back end 2"},
		{"a spline without knots", Class{KindSpline, 9, 13, 11, 1, 0, Garbled}, 3, 1, good, "0 knots"},
		{"knots of a ReLU", Class{KindReLU, 9, 13, 11, 1, 2, Garbled}, 3, 1, good, "2 knots"},
		{"too many knots", Class{KindSpline, 9, 13, 11, 1, 1025, Garbled}, 3, 1, good, "1025 knots"},
		{"too many signs", Class{KindSpline, 9, 13, 1 << 28, 1, 5, Garbled}, 3, 1, good, "elements"},
		{"an unknown kind", Class{9, 9, 13, 11, 1, 0, Garbled}, 3, 1, good, "unknown kind 9"},
		{"no such party", c, 3, 3, good, "party 3 of 3"},
		{"one party", c, 1, 0, good, "party 0 of 1"},
		{"a huge index", c, 3, 1, change(func(b []byte) []byte { b[6] = 1; return b }), "inference"},
		{"another back end", c, 3, 1, change(func(b []byte) []byte { b[7] = 1; return b }), "back end"},
		{"an even difference", c, 3, 1, change(func(b []byte) []byte { b[vectors+64] &^= 1; return b }), "even difference"},
		{"stray bits", c, 3, 1, change(func(b []byte) []byte { b[8+ring.PackedLen(10, 12)+ring.PackedLen(10, 3)-1] |= 0x80; return b }), "stray bits"},
		{"stray bits in tables", c, 3, 1, change(func(b []byte) []byte { b[len(b)-1] |= 0x80; return b }), "stray bits"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := ParseMaterial(test.class, test.n, test.self, test.data)
			if err == nil || m != nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, %v, want nothing and an error with %q", m, err, test.want)
			}
		})
	}
}

func FuzzParseMaterial(f *testing.F) {
	for _, c := range someClasses {
		data, err := noise(f, c, 3, 1, 0).AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(c.Backend), uint8(c.Kind), uint8(c.In), uint8(c.Out), uint8(c.N), uint8(c.Knots), uint8(3), uint8(1), data)
	}
	f.Fuzz(func(t *testing.T, backend, kind, in, out, elements, knots, n, self uint8, data []byte) {
		c := Class{Kind(kind), int(in), int(out), int(elements), 1, int(knots), Backend(backend)}
		m, err := ParseMaterial(c, int(n), int(self), data)
		if err != nil {
			return
		}
		again, err := m.AppendBinary(nil)
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("accepted what AppendBinary does not write")
		}
	})
}

func TestFormattingShowsNoContent(t *testing.T) {
	m := noise(t, Class{KindReLU, 20, 32, 2, 0, 0, Garbled}, 2, 0, 0)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, got := range []string{fmt.Sprintf(verb, m), fmt.Sprintf(verb, m.content), fmt.Sprintf(verb, []*Material{m}), fmt.Sprintf(verb, m.tables)} {
			got = strings.TrimPrefix(strings.TrimPrefix(got, "[]*compare.Material"), "[]*garble.Tables")
			if stripped := strings.Trim(got, "[]{}"); stripped != "Material[relu, 2" && stripped != "Tables[1" {
				t.Errorf("%s prints %s", verb, got)
			}
		}
	}
}

func TestMaterialIsUsedOnce(t *testing.T) {
	class := Class{KindReLU, 5, 8, 4, 0, 0, Garbled}
	other := Class{KindReLU, 5, 9, 4, 1, 0, Garbled}
	lift, maximum := Class{KindLift, 5, 8, 4, 2, 0, Garbled}, Class{KindMax, 6, 6, 4, 3, 0, Carry}
	step := Class{KindStep, 6, 2, 4, 4, 0, Carry}
	withSession(t, 2, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
		mats, err := Generate(m, s, rng, []Class{class, other, lift, maximum, step}, 2)
		if err != nil {
			return err
		}
		x := make([]uint64, 4)
		if _, err := ReLU(m, "first", mats[0][:1], x); err != nil {
			return err
		}
		if _, err := Lift(m, "second", mats[0][2:3], x); err != nil {
			return err
		}
		if _, err := Max(m, "third", mats[0][3:4], x, x); err != nil {
			return err
		}
		if _, err := Step(m, "fourth", mats[0][4:], x); err != nil {
			return err
		}
		for name, f := range map[string]func(){
			"step again":            func() { Step(m, "", mats[0][4:], x) },
			"step with relu's":      func() { Step(m, "", mats[1][:1], x) },
			"relu again":            func() { ReLU(m, "", mats[0][:1], x) },
			"lift again":            func() { Lift(m, "", mats[0][2:3], x) },
			"max again":             func() { Max(m, "", mats[0][3:4], x, x) },
			"encoding after use":    func() { mats[0][0].AppendBinary(nil) },
			"twice in one request":  func() { ReLU(m, "", []*Material{mats[1][0], mats[1][0]}, make([]uint64, 8)) },
			"relu with lift's":      func() { ReLU(m, "", mats[1][2:3], x) },
			"two classes":           func() { ReLU(m, "", []*Material{mats[0][1], mats[1][1]}[:2], x[:3]) },
			"wrong number of words": func() { Max(m, "", mats[1][3:4], x[:3], x[:3]) },
		} {
			if msg := panics(f); !strings.HasPrefix(msg, "compare: ") {
				return fmt.Errorf("%s: panic %q", name, msg)
			}
		}
		if got := fmt.Sprint(mats[0][0]); got != "Material[spent]" {
			return fmt.Errorf("spent material prints as %s", got)
		}
		c := mats[0][0].content
		if mats[0][3].terms != nil || c.r != nil || c.tables != nil || c.delta != (prg.Block{}) || c.seed != [32]byte{} {
			return errors.New("spent material still has content")
		}
		return nil
	})
}

// Material of one batch can be spent in any order and any grouping.
func TestRequestsGroupInferencesFreely(t *testing.T) {
	for _, b := range bothBackends {
		t.Run(b.String(), func(t *testing.T) { checkGroups(t, Class{KindReLU, 7, 12, 10, 0, 0, b}) })
	}
}

func checkGroups(t *testing.T, class Class) {
	withSession(t, 3, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
		mats, err := Generate(m, s, rng, []Class{class}, 6)
		if err != nil {
			return err
		}
		for _, group := range [][]int{{4}, {5, 0, 2}, {3, 1}} {
			var ms []*Material
			for _, i := range group {
				data, err := mats[i][0].AppendBinary(nil)
				if err != nil {
					return err
				}
				stored, err := ParseMaterial(class, 3, m.Self(), data)
				if err != nil {
					return err
				}
				ms = append(ms, stored)
			}
			x := allOf(-20, 40, len(group)*class.N)[:len(group)*class.N]
			got, err := run(m, ms, words(x), nil)
			if err != nil {
				return err
			}
			for i, z := range got {
				if z != max(x[i], 0) {
					return fmt.Errorf("inferences %v: %d gives %d", group, x[i], z)
				}
			}
		}
		z, err := ReLU(m, "none", nil, nil)
		if err != nil || len(z) != 0 {
			return fmt.Errorf("a request of no inferences: %v, %v", z, err)
		}
		return nil
	})
}

// say sends party 0 and party 1 messages of some lengths, and hears nothing.
func say(m *transport.Mesh, step string, len0, len1 int) {
	m.Exchange(step, [][]byte{make([]byte, len0), make([]byte, len1), nil}, make([][]byte, 3))
}

// A peer that is out of step, or sends less than it should, is named together
// with the step.
func TestMisbehavingPeerIsNamed(t *testing.T) {
	const open, labels, carries, bits = (9*6 + 7) / 8, 16 * 3 * 5, 2 * 2, 2
	for _, test := range []struct {
		name, step string
		peer       func(m *transport.Mesh)
		backend    Backend
	}{
		{"nothing", "relu 1: open c", func(m *transport.Mesh) {}, Garbled},
		{"another step", "relu 1: open c", func(m *transport.Mesh) { say(m, "relu 2: open c", open, open) }, Garbled},
		{"short c", "relu 1: open c", func(m *transport.Mesh) { say(m, "relu 1: open c", open-1, open) }, Garbled},
		{"no labels", "relu 1: labels of c", func(m *transport.Mesh) { say(m, "relu 1: open c", open, open) }, Garbled},
		{"long labels", "relu 1: labels of c", func(m *transport.Mesh) {
			say(m, "relu 1: open c", open, open)
			say(m, "relu 1: labels of c", labels+1, labels)
		}, Garbled},
		{"no e", "relu 1: e", func(m *transport.Mesh) {
			say(m, "relu 1: open c", open, open)
			say(m, "relu 1: labels of c", labels, labels)
		}, Garbled},
		{name: "no carries", step: "relu 1: carries", peer: func(m *transport.Mesh) { say(m, "relu 1: open c", open, open) }, backend: Carry},
		{name: "short carries", step: "relu 1: carries", peer: func(m *transport.Mesh) {
			say(m, "relu 1: open c", open, open)
			say(m, "relu 1: carries", carries-1, carries)
		}, backend: Carry},
		{name: "no carried e", step: "relu 1: e", peer: func(m *transport.Mesh) {
			say(m, "relu 1: open c", open, open)
			say(m, "relu 1: carries", carries, carries)
		}, backend: Carry},
		{name: "long e", step: "relu 1: e", peer: func(m *transport.Mesh) {
			say(m, "relu 1: open c", open, open)
			say(m, "relu 1: carries", carries, carries)
			say(m, "relu 1: e", bits+1, bits+1)
		}, backend: Carry},
	} {
		t.Run(test.name, func(t *testing.T) {
			class := Class{KindReLU, 6, 10, 9, 0, 0, test.backend}
			errs := make([]error, 3)
			mats := make([][]*Material, 3)
			for p := range mats {
				mats[p] = []*Material{noise(t, class, 3, p, 0)}
			}
			synctest.Test(t, func(t *testing.T) {
				meshes := transport.Pipe(t.Context(), 3)
				for p, m := range meshes {
					go func() {
						if p == 2 {
							test.peer(m)
							return
						}
						_, errs[p] = ReLU(m, "relu 1", mats[p], make([]uint64, 9))
					}()
				}
				synctest.Wait()
				meshes[2].Close()
				synctest.Wait()
			})
			for p, err := range errs[:2] {
				var peer *transport.PeerError
				if !errors.As(err, &peer) || peer.Party != 2 || peer.Step != test.step {
					t.Errorf("party %d: %v, want an error of party 2 at %q", p, err, test.step)
				}
			}
		})
	}
}

func TestGenerateRefuses(t *testing.T) {
	withSession(t, 2, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
		for _, c := range []Class{{}, {KindReLU, 1, 4, 4, 0, 0, Garbled}, {KindReLU, 65, 4, 4, 0, 0, Garbled}, {KindReLU, 4, 0, 4, 0, 0, Garbled}, {KindReLU, 4, 65, 4, 0, 0, Garbled},
			{KindMax, 4, 5, 4, 0, 0, Garbled}, {KindLift, 4, 5, 0, 0, 0, Garbled}, {KindLift, 4, 5, 1, 1 << 24, 0, Garbled}, {KindLift, 4, 5, 1, -1, 0, Garbled}} {
			if _, err := Generate(m, s, rng, []Class{c}, 1); err == nil {
				return fmt.Errorf("%+v was accepted", c)
			}
		}
		if _, err := Generate(m, s, rng, []Class{{KindLift, 4, 4, 4, 3, 0, Garbled}, {KindReLU, 5, 5, 5, 3, 0, Garbled}}, 1); err == nil {
			return errors.New("two classes of one layer were accepted")
		}
		if _, err := Generate(m, s, rng, nil, -1); err == nil {
			return errors.New("a negative batch was accepted")
		}
		if mats, err := Generate(m, s, rng, nil, 2); err != nil || len(mats) != 2 {
			return fmt.Errorf("no classes: %v, %v", mats, err)
		}
		if _, err := Generate(m, s, strings.NewReader("short"), []Class{{KindReLU, 4, 4, 4, 0, 0, Garbled}}, 1); err == nil {
			return errors.New("randomness that ends was accepted")
		}
		return nil
	})
}
