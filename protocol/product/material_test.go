package product

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tacit-mpc/tacit/internal/ring"
	"github.com/tacit-mpc/tacit/protocol/ot"
	"github.com/tacit-mpc/tacit/protocol/ot/ottest"
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
	m := new(Material)
	m.content = content{class: c, n: n, self: self, index: index}
	m.allocate()
	for _, v := range m.fields() {
		if err := ring.Random(ottest.Tape(11, self), v, c.Width); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func TestMaterialSurvivesItsEncoding(t *testing.T) {
	for _, c := range someClasses {
		for _, n := range []int{2, 3, 5} {
			for self := range n {
				data, err := noise(t, c, n, self, 7).AppendBinary([]byte("x"))
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
	c := Class{T: 1, M: 1, K: 3, N: 5, Width: 7}
	good, err := noise(t, c, 3, 1, 0).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int, b byte) []byte {
		data := bytes.Clone(good)
		data[at] |= b
		return data
	}
	sides := ring.PackedLen(c.XLen(), 7)
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
		{"another class", Class{T: 1, M: 1, K: 3, N: 6, Width: 7}, 3, 1, good, "bytes, want"},
		{"an invalid class", Class{T: 1, M: 1, K: 3, N: 5, Width: 65}, 3, 1, good, "65 bits"},
		{"no such party", c, 3, 3, good, "party 3 of 3"},
		{"one party", c, 1, 0, good, "party 0 of 1"},
		{"a huge index", c, 3, 1, change(6, 1), "inference"},
		{"stray bits of A", c, 3, 1, change(8+sides-1, 0x80), "stray bits"},
		{"stray bits of C", c, 3, 1, change(len(good)-1, 0x80), "stray bits"},
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
		c.T, c.M, c.N = min(c.T, 9), min(c.M, 9), min(c.N, 9)
		data, err := noise(f, c, 3, 1, 0).AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(c.T), uint8(c.M), uint8(c.K), uint8(c.N), uint8(c.Width), c.Square, uint8(3), uint8(1), data)
	}
	f.Fuzz(func(t *testing.T, products, rows, inner, cols, width uint8, square bool, n, self uint8, data []byte) {
		c := Class{T: int(products), M: int(rows), K: int(inner), N: int(cols), Width: int(width), Square: square}
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
	m := noise(t, Class{T: 2, M: 1, K: 1, N: 1, Width: 32, Square: true}, 2, 0, 0)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, got := range []string{fmt.Sprintf(verb, m), fmt.Sprintf(verb, m.content), fmt.Sprintf(verb, []*Material{m})} {
			got = strings.TrimPrefix(got, "[]*product.Material")
			if stripped := strings.Trim(got, "[]{}"); stripped != "Material[2 squares" {
				t.Errorf("%s prints %s", verb, got)
			}
		}
	}
}

func TestMaterialIsUsedOnce(t *testing.T) {
	class := Class{T: 2, M: 2, K: 1, N: 1, Width: 9}
	other := Class{T: 2, M: 1, K: 1, N: 2, Width: 9, Layer: 1}
	square := Class{T: 4, M: 1, K: 1, N: 1, Width: 9, Square: true, Layer: 2}
	ottest.Run(t, 2, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
		mats, err := Generate(m, s, rng, []Class{class, other, square}, 2)
		if err != nil {
			return err
		}
		x := make([]uint64, 4)
		if _, err := Multiply(m, "first", mats[0][:1], x, x[:2]); err != nil {
			return err
		}
		if _, err := Multiply(m, "second", mats[0][2:], x, nil); err != nil {
			return err
		}
		for name, f := range map[string]func(){
			"again":                func() { Multiply(m, "", mats[0][:1], x, x[:2]) },
			"square again":         func() { Multiply(m, "", mats[0][2:], x, nil) },
			"encoding after use":   func() { mats[0][0].AppendBinary(nil) },
			"twice in one request": func() { Multiply(m, "", []*Material{mats[1][0], mats[1][0]}, make([]uint64, 8), x) },
			"two classes":          func() { Multiply(m, "", []*Material{mats[0][1], mats[1][2]}, make([]uint64, 8), x) },
			"wrong number of words": func() {
				Multiply(m, "", mats[1][1:2], x[:3], x)
			},
		} {
			if msg := panics(f); !strings.HasPrefix(msg, "product: ") {
				return fmt.Errorf("%s: panic %q", name, msg)
			}
		}
		if got := fmt.Sprint(mats[0][0]); got != "Material[spent]" {
			return fmt.Errorf("spent material prints as %s", got)
		}
		if c := mats[0][0].content; c.a != nil || c.b != nil || c.c != nil {
			return errors.New("spent material still has content")
		}
		return nil
	})
}

// Material of one batch can be spent in any order and any grouping.
func TestRequestsGroupInferencesFreely(t *testing.T) {
	for _, class := range []Class{{T: 2, M: 3, K: 2, N: 4, Width: 30}, {T: 7, M: 1, K: 1, N: 1, Width: 30, Square: true}} {
		ottest.Run(t, 3, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
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
				if err := check(m, ms); err != nil {
					return fmt.Errorf("inferences %v: %w", group, err)
				}
			}
			z, err := Multiply(m, "none", nil, nil, nil)
			if err != nil || len(z) != 0 {
				return fmt.Errorf("a request of no inferences: %v, %v", z, err)
			}
			return nil
		})
	}
}

// say sends the other two parties messages of a length, and hears nothing.
func say(m *transport.Mesh, step string, length int) {
	msg := make([]byte, length)
	m.Exchange(step, [][]byte{msg, msg, nil}, make([][]byte, 3))
}

// A peer that is out of step, or sends less than it should, is named together with
// the step.
func TestMisbehavingPeerIsNamed(t *testing.T) {
	class := Class{T: 1, M: 3, K: 1, N: 2, Width: 9}
	for _, test := range []struct {
		name string
		peer func(m *transport.Mesh)
	}{
		{"nothing", func(m *transport.Mesh) {}},
		{"another step", func(m *transport.Mesh) { say(m, "product 2: open D, E", 7) }},
		{"a byte less", func(m *transport.Mesh) { say(m, "product 1: open D, E", 6) }},
		{"a byte more", func(m *transport.Mesh) { say(m, "product 1: open D, E", 8) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			errs := make([]error, 3)
			synctest.Test(t, func(t *testing.T) {
				meshes := transport.Pipe(t.Context(), 3)
				for p, m := range meshes {
					go func() {
						if p == 2 {
							test.peer(m)
							return
						}
						mats := []*Material{noise(t, class, 3, p, 0)}
						_, errs[p] = Multiply(m, "product 1", mats, make([]uint64, 3), make([]uint64, 2))
					}()
				}
				synctest.Wait()
				meshes[2].Close()
				synctest.Wait()
			})
			for p, err := range errs[:2] {
				var peer *transport.PeerError
				if !errors.As(err, &peer) || peer.Party != 2 || peer.Step != "product 1: open D, E" {
					t.Errorf("party %d: %v, want an error of party 2", p, err)
				}
			}
		})
	}
}

func TestGenerateRefuses(t *testing.T) {
	one := Class{T: 1, M: 1, K: 1, N: 1, Width: 8}
	ottest.Run(t, 2, func(m *transport.Mesh, s *ot.Session, rng io.Reader) error {
		for name, spoil := range map[string]func(c *Class){
			"nothing":          func(c *Class) { *c = Class{} },
			"no products":      func(c *Class) { c.T = 0 },
			"negative":         func(c *Class) { c.T = -1 },
			"no rows":          func(c *Class) { c.M = 0 },
			"huge sides":       func(c *Class) { c.K = 1 << 16; c.N = 1 << 16; c.M = 1 << 16 },
			"a huge side":      func(c *Class) { c.K = 1<<16 + 1 },
			"many elements":    func(c *Class) { c.T = 1<<28 + 1 },
			"1 bit":            func(c *Class) { c.Width = 1 },
			"65 bits":          func(c *Class) { c.Width = 65 },
			"a squared matrix": func(c *Class) { c.Square = true; c.K = 2 },
			"a huge layer":     func(c *Class) { c.Layer = 1 << 24 },
			"no layer":         func(c *Class) { c.Layer = -1 },
		} {
			c := one
			spoil(&c)
			if _, err := Generate(m, s, rng, []Class{c}, 1); err == nil {
				return fmt.Errorf("%s: %+v was accepted", name, c)
			}
		}
		if _, err := Generate(m, s, rng, []Class{one, one}, 1); err == nil {
			return errors.New("two classes of one layer were accepted")
		}
		if _, err := Generate(m, s, rng, nil, -1); err == nil {
			return errors.New("a negative batch was accepted")
		}
		if mats, err := Generate(m, s, rng, nil, 2); err != nil || len(mats) != 2 {
			return fmt.Errorf("no classes: %v, %v", mats, err)
		}
		if _, err := Generate(m, s, strings.NewReader("short"), []Class{one}, 1); err == nil {
			return errors.New("randomness that ends was accepted")
		}
		return nil
	})
}
