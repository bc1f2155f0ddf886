//go:build armbe || arm64be || mips || mips64 || ppc || ppc64 || s390 || s390x || sparc || sparc64

package prg

// [Bytes] views words as bytes, so a big-endian host would derive other values
// than its peers: this does not compile.
var _ = theHostMustBeLittleEndian
