package p2p

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnIdentitySurvivesItsFile(t *testing.T) {
	id, err := NewIdentity(rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "identity.key")
	if err := id.Save(path); err != nil {
		t.Fatal(err)
	}
	got, err := LoadIdentity(path)
	if err != nil || got.PeerID() != id.PeerID() || !got.key.Equals(id.key) {
		t.Errorf("loaded %v, %v", got, err)
	}
	if p, err := ParsePeerID(string(id.PeerID())); err != nil || p != id.PeerID() {
		t.Errorf("parsed %v, %v", p, err)
	}
	if err := id.Save(path); err == nil {
		t.Error("Save replaced an identity")
	}
	info, _ := os.Stat(path)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v", info.Mode())
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620} {
		os.Chmod(path, mode)
		if _, err := LoadIdentity(path); err == nil || !strings.Contains(err.Error(), "0600") {
			t.Errorf("mode %v: err = %v", mode, err)
		}
	}
}

func TestPrintingAnIdentityShowsItsPublicName(t *testing.T) {
	id, _ := NewIdentity(rand.NewChaCha8([32]byte{2}))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if got := fmt.Sprintf(verb, id); got != string(id.PeerID()) {
			t.Errorf("%s prints %q", verb, got)
		}
	}
}

func FuzzIdentity(f *testing.F) {
	f.Add([]byte{8, 1, 18, 0})
	f.Fuzz(func(t *testing.T, b []byte) { parseIdentity(b) })
}

func FuzzHello(f *testing.F) {
	f.Add(appendHello(nil, []byte("header")))
	f.Add([]byte{1, 255, 255, 255, 255})
	f.Add([]byte{2, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		header, err := readHello(bytes.NewReader(b))
		if err == nil && !bytes.HasPrefix(b, appendHello(nil, header)) {
			t.Fatalf("%q gave header %q", b, header)
		}
		if len(header) > MaxHeader {
			t.Fatalf("header of %d bytes", len(header))
		}
		readAnswer(bytes.NewReader(b))
	})
}

func FuzzPeerID(f *testing.F) {
	id, _ := NewIdentity(rand.NewChaCha8([32]byte{3}))
	f.Add(string(id.PeerID()))
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := ParsePeerID(s); err == nil {
			if q, err := ParsePeerID(string(p)); err != nil || q != p {
				t.Fatalf("%q gave %q, then %q, %v", s, p, q, err)
			}
		}
	})
}
