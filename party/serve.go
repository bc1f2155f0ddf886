package party

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/tacit-mpc/tacit/configs"
	"github.com/tacit-mpc/tacit/internal/wire"
	"github.com/tacit-mpc/tacit/transport"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// answerTime limits the answer to a question that needs no other party.
const answerTime = 10 * time.Second

// accept serves streams until the party stops.
func (p *Party) accept() error {
	for {
		in, err := p.roster.node.Accept(p.ctx)
		if p.ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		p.work.Go(func() { p.dispatch(in) })
	}
}

// dispatch serves one stream, which a peer has opened with a first message.
func (p *Party) dispatch(in *p2p.Incoming) {
	kind, err := wire.KindOf(in.Header)
	from := p.roster.index(in.Peer)
	if in.Class == p2p.Online && (from >= 0 || kind == wire.KindPredict) { // asking for the status holds nobody up
		defer p.pacer.arrive()()
	}
	switch {
	case err != nil:
	case from >= 0:
		err = p.dispatchParty(kind, from, in)
	default:
		err = p.dispatchClient(kind, in)
	}
	if err == nil && kind == wire.KindJoin {
		return // the stream waits for its mesh
	}
	if err != nil {
		p.log.Warn().Err(err).Str("peer", string(in.Peer)).Str("kind", string(kind)).Msg("request failed")
		if from < 0 {
			p.refuse(in.Stream, err)
		}
	}
	in.Stream.Close()
}

// dispatchParty serves another party.
func (p *Party) dispatchParty(kind wire.Kind, from int, in *p2p.Incoming) error {
	if from != 0 && kind != wire.KindJoin && kind != wire.KindPing {
		return fmt.Errorf("%w: %q from party %d, who does not lead", wire.ErrMalformed, kind, from)
	}
	switch kind {
	case wire.KindJoin:
		join, err := wire.Decode[wire.Join](in.Header)
		if err == nil {
			p.roster.lobby.arrive(meeting{join.Mesh, join.Lane}, from, in.Stream)
		}
		return err
	case wire.KindPing:
		in.Stream.SetWriteDeadline(time.Now().Add(answerTime))
		return wire.Write(in.Stream, wire.Ping{})
	case wire.KindSession:
		job, err := wire.Decode[wire.Session](in.Header)
		if err != nil {
			return err
		}
		return p.follow(job, in.Stream)
	case wire.KindDeal:
		job, err := wire.Decode[wire.Deal](in.Header)
		if err != nil {
			return err
		}
		return p.followDeal(job, in.Stream)
	case wire.KindPrep:
		job, err := wire.Decode[wire.Prep](in.Header)
		if err != nil {
			return err
		}
		return p.followPrep(job, in.Stream)
	}
	return fmt.Errorf("%w: %q from a party", wire.ErrMalformed, kind)
}

// dispatchClient serves a client.
func (p *Party) dispatchClient(kind wire.Kind, in *p2p.Incoming) error {
	switch kind {
	case wire.KindStatus:
		return p.answerStatus(in.Stream)
	case wire.KindLookup:
		ask, err := wire.Decode[wire.Lookup](in.Header)
		if err != nil {
			return err
		}
		return p.answerLookup(in, ask)
	case wire.KindDeploy:
		ask, err := wire.Decode[wire.DeployRequest](in.Header)
		if err != nil {
			return err
		}
		return p.deploy(in, ask)
	case wire.KindPredict:
		ask, err := wire.Decode[wire.PredictRequest](in.Header)
		if err != nil {
			return err
		}
		return p.predict(in, ask)
	}
	return fmt.Errorf("%w: %q from a client", wire.ErrMalformed, kind)
}

// allowed refuses clients without the role for a model.
func (p *Party) allowed(id p2p.PeerID, role configs.Role, model string) error {
	c, ok := p.cfg.Client(string(id))
	if ok && c.Allows(role, model) {
		return nil
	}
	return &wire.Error{
		Code: wire.CodeNotAllowed, Party: p.self, Step: "request",
		Message: fmt.Sprintf("client %q may not %s model %q", c.Name, role, model),
		Hint:    "add the role and the model to the client in the deployment file",
	}
}

// unknown is the error of a request for a model that is not served.
func (p *Party) unknown(model string) error {
	return &wire.Error{
		Code: wire.CodeModel, Party: p.self, Step: "request",
		Message: fmt.Sprintf("no model %q is deployed", model),
		Hint:    "deploy it first; the status of the cluster lists what is there",
	}
}

func (p *Party) answerLookup(in *p2p.Incoming, ask wire.Lookup) error {
	if err := p.allowed(in.Peer, configs.RolePredict, ask.Model); err != nil {
		if p.allowed(in.Peer, configs.RoleDeploy, ask.Model) != nil {
			return err
		}
	}
	v := p.models.get(ask.Model)
	if v == nil {
		return p.unknown(ask.Model)
	}
	answer := wire.Model{Version: v.id, Seq: v.seq, Manifest: v.digest}
	var payload []byte
	if ask.Known != v.digest {
		payload = v.encoded
	}
	answer.Len = int64(len(payload))
	in.Stream.SetWriteDeadline(time.Now().Add(p.cfg.Timeouts.Session))
	return wire.Write(in.Stream, answer, payload)
}

// refuse tells a peer why its request failed, as far as the stream still works.
func (p *Party) refuse(s p2p.Stream, err error) {
	s.SetWriteDeadline(time.Now().Add(answerTime))
	if wire.Write(s, p.explain(err)) != nil {
		return // it has gone
	}
}

// errClientGone means that the client left before it had its result.
var errClientGone = errors.New("the client closed the stream")

// explain turns a failure into what a client may know about it.
func (p *Party) explain(err error) *wire.Error {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*transport.PeerError](err); ok {
		code := wire.CodeSession
		hint := "retry; see the log of that party"
		if lost(e) {
			code, hint = wire.CodeUnreachable, "check that the party runs and can be reached by the others"
		}
		return &wire.Error{Code: code, Party: e.Party, Step: e.Step, Message: e.Err.Error(), Hint: hint}
	}
	e := &wire.Error{Code: wire.CodeInternal, Party: p.self, Step: "request", Message: "internal error", Hint: "see the log of the party"}
	switch {
	case errors.Is(err, errStopping):
		e.Code, e.Message, e.Hint = wire.CodeStopping, "shuts down", "retry when it is back"
	case errors.Is(err, errUnusable):
		e.Code, e.Message, e.Hint = wire.CodeMaterial, "its stored material was unusable and is discarded", "retry; check the disk if it happens again"
	case errors.Is(err, errNotHeld):
		e.Code, e.Message, e.Hint = wire.CodeMaterial, "does not hold the material", "retry"
	case errors.Is(err, wire.ErrMalformed):
		e.Code, e.Message, e.Hint = wire.CodeRequest, err.Error(), "run the same release of tacit everywhere"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, errLate):
		e.Code, e.Message, e.Hint = wire.CodeSession, "took too long", "raise timeouts.session"
	case errors.Is(err, errClientGone), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.Code, e.Message, e.Hint = wire.CodeRequest, errClientGone.Error(), ""
	default:
		if errno, ok := errors.AsType[syscall.Errno](err); ok {
			e.Code, e.Message, e.Hint = wire.CodeStorage, "its disk failed: "+errno.Error(), "check space and permissions of its data directory"
		}
	}
	return e
}

// lost reports whether a party could not be connected, or is gone.
func lost(e *transport.PeerError) bool {
	return e.Step == stepConnect || errors.Is(e.Err, transport.ErrGone) || errors.Is(e.Err, errNoShow) ||
		errors.Is(e.Err, p2p.ErrBusy) || errors.Is(e.Err, p2p.ErrNotAllowed)
}

// errLate means that a session exceeded its time.
var errLate = errors.New("the session took too long")
