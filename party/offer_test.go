package party

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/tacit-mpc/tacit/internal/wire"
)

// A memoryStream is a stream on which all has been sent.
type memoryStream struct{ *bytes.Reader }

func (memoryStream) Write(b []byte) (int, error)      { return len(b), nil }
func (memoryStream) Close() error                     { return nil }
func (memoryStream) CloseWrite() error                { return nil }
func (memoryStream) SetDeadline(time.Time) error      { return nil }
func (memoryStream) SetReadDeadline(time.Time) error  { return nil }
func (memoryStream) SetWriteDeadline(time.Time) error { return nil }

func TestReadOfferRefuses(t *testing.T) {
	m := testNet(1)
	encoded, err := m.Manifest.JSON()
	if err != nil {
		t.Fatal(err)
	}
	ask := wire.DeployRequest{Model: testModel, Request: wire.ID{1}, Manifest: m.Manifest.Digest(), Len: int64(len(encoded)), Seed: true}
	whole := append(bytes.Clone(encoded), make([]byte, wire.SeedLen)...)
	read := func(b []byte, ask wire.DeployRequest) (*offer, error) {
		return readOffer(memoryStream{bytes.NewReader(b)}, ticket{}, ask)
	}
	if o, err := read(whole, ask); err != nil || len(o.params) != len(m.Params) {
		t.Fatalf("a good offer: %v", err)
	}
	if _, err := read(whole[:len(whole)-1], ask); err == nil {
		t.Error("half a seed is accepted")
	}
	full := ask
	full.Seed = false
	if _, err := read(whole, full); err == nil {
		t.Error("too few shares are accepted")
	}
	other := ask
	other.Manifest[0] ^= 1
	if _, err := read(whole, other); err == nil {
		t.Error("another manifest than announced is accepted")
	}
	shorter := ask
	shorter.Len--
	if _, err := read(whole, shorter); err == nil {
		t.Error("half a manifest is accepted")
	}
}

func FuzzReadOffer(f *testing.F) {
	m := testNet(1)
	encoded, err := m.Manifest.JSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encoded, []byte("shares"), true)
	f.Add(encoded, bytes.Repeat([]byte{1}, 200), false)
	f.Fuzz(func(t *testing.T, manifest, shares []byte, seed bool) {
		if len(manifest) == 0 || !json.Valid(manifest) {
			return
		}
		b := append(bytes.Clone(manifest), shares...)
		ask := wire.DeployRequest{Len: int64(len(manifest)), Manifest: m.Manifest.Digest(), Seed: seed}
		readOffer(memoryStream{bytes.NewReader(b)}, ticket{}, ask)
	})
}
