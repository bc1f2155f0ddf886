package p2p

import (
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
)

// A Class says what a stream carries. Streams of different classes to the same
// peer use different connections, as a connection has one queue for all its
// streams: 64 bytes behind a bulk transfer wait for milliseconds.
type Class uint8

const (
	Online  Class = iota // rounds of a running inference
	Bulk                 // offline material
	Control              // requests and their answers
	classes
)

var classNames = [classes]string{"online", "bulk", "control"}

func (c Class) String() string {
	if c >= classes {
		return fmt.Sprintf("Class(%d)", uint8(c))
	}
	return classNames[c]
}

// protocol is how the TLS handshake names a class.
func (c Class) protocol() protocol.ID { return protocol.ID("/tacit/" + c.String() + "/1.0.0") }

func classOf(id protocol.ID) (Class, bool) {
	for c := range classes {
		if c.protocol() == id {
			return c, true
		}
	}
	return 0, false
}

// muxer returns yamux as this class needs it. A window of 16 MiB is what keeps
// a long, fast line busy; it is the memory that a peer can make us hold for
// one stream.
//
// A frozen peer is noticed after interval and timeout, together below
// liveness. The timeout, which also limits a write to the socket, is the longer
// one, so that a machine out of breath is not taken for a dead one. Bulk waits longer, as its pings queue behind megabytes in the
// buffers of a slow line.
func (c Class) muxer(o Options) upgrader.StreamMuxer {
	liveness := o.Liveness
	y := *yamux.DefaultTransport
	switch c {
	case Control:
		y.InitialStreamWindowSize, y.MaxStreamWindowSize = 1<<20, 4<<20
	case Bulk:
		liveness *= 4
		fallthrough
	default:
		y.InitialStreamWindowSize, y.MaxStreamWindowSize = 16<<20, 16<<20
	}
	y.KeepAliveInterval = liveness / 5
	y.ConnectionWriteTimeout = liveness * 3 / 4
	y.MeasureRTTInterval = 30 * time.Second
	y.MaxIncomingStreams = uint32(2 * o.MaxStreams) // with room to say that it is too many
	return upgrader.StreamMuxer{ID: c.protocol(), Muxer: &y}
}
