package rehearse

import (
	"fmt"

	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/protocol/compare"
	"github.com/tacit-mpc/tacit/protocol/infer"
	"github.com/tacit-mpc/tacit/protocol/prep"
	"github.com/tacit-mpc/tacit/transport"
)

// Auto has [Choose] choose.
const Auto = "auto"

// Choose returns the way to compare that a model is to use among so many
// parties: the given one, or with [Auto] the one with the shortest wait for the
// network in a request of one row over the link,
//
//	rounds · RTT/2 + bytes · 8 / bandwidth.
func Choose(name string, m *model.Manifest, parties int, link transport.Profile) (string, error) {
	if name != Auto {
		b, err := compare.ParseBackend(name)
		return b.String(), err
	}
	bandwidth := link.BitsPerSecond
	if bandwidth == 0 { // within one machine
		bandwidth = 10e9
	}
	best, least := "", 0.0
	for _, name := range Backends() {
		b, err := compare.ParseBackend(name)
		if err != nil {
			return "", fmt.Errorf("choose: %w", err)
		}
		wait := 0.0
		for _, s := range infer.Plan(&m.Program, parties, 0, 1, prep.Comparisons(b)) {
			wait += float64(s.Rounds)*link.RTT.Seconds()/2 + float64(s.Sent)*8/bandwidth
		}
		if best == "" || wait <= least {
			best, least = name, wait
		}
	}
	return best, nil
}

// Depth returns the depth of OT extension for a network of a bandwidth: each
// level up to 8 halves the bytes, but above 4 multiplies the work. Below 4, the
// encryption of the bytes costs more than is saved. Measured with one core for
// both roles; see docs/protocols.md, section 6.
func Depth(bitsPerSecond float64) int {
	if bitsPerSecond > 0 && bitsPerSecond < 330e6 {
		return 8
	}
	return 4
}
