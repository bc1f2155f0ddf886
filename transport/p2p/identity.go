package p2p

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// A PeerID names a party or client by its public key, in the text form of
// libp2p, such as "12D3KooW...".
type PeerID string

// ParsePeerID checks that s is the identity of an ed25519 key.
func ParsePeerID(s string) (PeerID, error) {
	id, err := peer.Decode(s)
	if err != nil {
		return "", fmt.Errorf("peer identity %q: %w", s, err)
	}
	key, err := id.ExtractPublicKey()
	if err != nil {
		return "", fmt.Errorf("peer identity %q: %w", s, err)
	}
	if key.Type() != crypto.Ed25519 {
		return "", fmt.Errorf("peer identity %q: want an ed25519 key", s)
	}
	return PeerID(id.String()), nil
}

// An Identity is the private key of a party or client. Formatting it prints
// the public PeerID only.
type Identity struct {
	_   [0]func() // not comparable
	key crypto.PrivKey
	id  PeerID
}

// NewIdentity returns a fresh identity from 32 bytes of rng.
func NewIdentity(rng io.Reader) (Identity, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(rng, seed); err != nil {
		return Identity{}, fmt.Errorf("new identity: %w", err)
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		return Identity{}, fmt.Errorf("new identity: %w", err)
	}
	return identityOf(key)
}

func identityOf(key crypto.PrivKey) (Identity, error) {
	if key.Type() != crypto.Ed25519 {
		return Identity{}, errors.New("want an ed25519 key")
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return Identity{}, err
	}
	return Identity{key: key, id: PeerID(id.String())}, nil
}

// maxIdentityFile is far above the 68 bytes of an ed25519 key.
const maxIdentityFile = 1 << 10

// LoadIdentity reads an identity that [Identity.Save] wrote. It refuses a file
// that anybody but its owner can read or write.
func LoadIdentity(path string) (Identity, error) {
	f, err := os.Open(path)
	if err != nil {
		return Identity{}, fmt.Errorf("load identity: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Identity{}, fmt.Errorf("load identity: %w", err)
	}
	if mode := info.Mode(); !mode.IsRegular() || mode.Perm()&0o077 != 0 {
		return Identity{}, fmt.Errorf("load identity: %s has mode %v, want a file of mode 0600, which only its owner can read", path, mode)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxIdentityFile))
	if err != nil {
		return Identity{}, fmt.Errorf("load identity: %w", err)
	}
	id, err := parseIdentity(b)
	if err != nil {
		return Identity{}, fmt.Errorf("load identity: %s is no identity: %w", path, err)
	}
	return id, nil
}

func parseIdentity(b []byte) (Identity, error) {
	key, err := crypto.UnmarshalPrivateKey(b)
	if err != nil {
		return Identity{}, err
	}
	return identityOf(key)
}

// Save writes the identity, in the protobuf encoding of libp2p, to a new file
// of mode 0600.
func (i Identity) Save(path string) error {
	b, err := crypto.MarshalPrivateKey(i.key)
	if err != nil {
		return fmt.Errorf("save identity: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("save identity: %s exists and is not overwritten: %w", path, err)
	}
	if err != nil {
		return fmt.Errorf("save identity: %w", err)
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("save identity: %w", err)
	}
	return nil
}

// PeerID returns the public name of the identity.
func (i Identity) PeerID() PeerID { return i.id }

// Format prints the PeerID, whatever the verb.
func (i Identity) Format(f fmt.State, _ rune) { io.WriteString(f, string(i.id)) }
