package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

// id returns an ID that differs for every b.
func id(b byte) ID { return ID{b, 1} }

var samples = []Message{
	StatusRequest{}, Report{5}, Ping{},
	Lookup{"m", id(1)}, Model{id(1), 2, id(3), 4},
	DeployRequest{"m", id(1), id(2), 3, true}, Deployed{id(1), 2, id(3)},
	PredictRequest{"m", id(1), id(2), 3}, Accept{id(1), id(2), id(3)},
	Shares{id(1), true}, Result{id(1), 2},
	Error{CodePool, Nobody, "step", "message", "hint"},
	Session{id(1), "m", id(2), []Request{{id(3), "client", 1}, {id(5), "other", 1}}, []Run{{id(4), []uint32{1, 2}}}},
	Deal{id(1), "m", id(2), "client", 3}, Prep{id(1), "m", id(2), 3}, Join{id(1), "main"},
}

// decode decodes a header as the message it says it is.
func decode(header []byte) (Message, error) {
	kind, err := KindOf(header)
	if err != nil {
		return nil, err
	}
	switch kind {
	case KindStatus:
		return Decode[StatusRequest](header)
	case KindReport:
		return Decode[Report](header)
	case KindPing:
		return Decode[Ping](header)
	case KindLookup:
		return Decode[Lookup](header)
	case KindModel:
		return Decode[Model](header)
	case KindDeploy:
		return Decode[DeployRequest](header)
	case KindDeployed:
		return Decode[Deployed](header)
	case KindPredict:
		return Decode[PredictRequest](header)
	case KindAccept:
		return Decode[Accept](header)
	case KindShares:
		return Decode[Shares](header)
	case KindResult:
		return Decode[Result](header)
	case KindError:
		return Decode[Error](header)
	case KindSession:
		return Decode[Session](header)
	case KindDeal:
		return Decode[Deal](header)
	case KindPrep:
		return Decode[Prep](header)
	case KindJoin:
		return Decode[Join](header)
	}
	return nil, ErrMalformed
}

func TestMessagesSurviveTheWire(t *testing.T) {
	for _, m := range samples {
		header, err := Encode(m)
		if err != nil {
			t.Fatalf("%T: %v", m, err)
		}
		got, err := decode(header)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%T: got %v, %v, want %v", m, got, err, m)
		}
	}
}

func TestWriteIsOneCallAndReadable(t *testing.T) {
	var w countingWriter
	if err := Write(&w, Shares{id(1), true}, []byte("pay"), []byte("load")); err != nil {
		t.Fatal(err)
	}
	if w.calls != 1 {
		t.Errorf("%d calls of Write, want 1", w.calls)
	}
	got, err := Read[Shares](&w)
	if err != nil || got != (Shares{id(1), true}) {
		t.Fatalf("got %v, %v", got, err)
	}
	if payload, err := ReadPayload(&w, 7, 7); err != nil || string(payload) != "payload" {
		t.Errorf("got %q, %v", payload, err)
	}
}

type countingWriter struct {
	bytes.Buffer
	calls int
}

func (w *countingWriter) Write(b []byte) (int, error) {
	w.calls++
	return w.Buffer.Write(b)
}

func TestErrorArrivesInPlaceOfAnyMessage(t *testing.T) {
	var b bytes.Buffer
	sent := &Error{CodeMaterial, 2, "hello", "does not\x1b[2J hold it", "retry"}
	if err := Write(&b, sent); err != nil {
		t.Fatal(err)
	}
	_, err := Read[Accept](&b)
	got, ok := errors.AsType[*Error](err)
	if !ok || got.Code != CodeMaterial || got.Party != 2 {
		t.Fatalf("got %v", err)
	}
	if strings.ContainsRune(got.Message, '\x1b') {
		t.Errorf("an escape sequence of a peer survives: %q", got.Message)
	}
}

func TestMalformedHeadersAreRefused(t *testing.T) {
	long := strings.Repeat("x", MaxHeader)
	for name, header := range map[string]string{
		"empty":               ``,
		"not JSON":            `hello`,
		"unknown field":       `{"v":1,"kind":"report","body":{"len":1},"extra":1}`,
		"unknown field below": `{"v":1,"kind":"report","body":{"len":1,"extra":1}}`,
		"two values":          `{"v":1,"kind":"report","body":{"len":1}} {}`,
		"wrong kind":          `{"v":1,"kind":"ping","body":{}}`,
		"no body":             `{"v":1,"kind":"report"}`,
		"negative length":     `{"v":1,"kind":"report","body":{"len":-1}}`,
		"huge length":         `{"v":1,"kind":"report","body":{"len":99999999999}}`,
		"too long":            `{"v":1,"kind":"report","body":{"len":1},"extra":"` + long + `"}`,
	} {
		if _, err := Decode[Report]([]byte(header)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", name, err)
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	for name, m := range map[string]Message{
		"name with a path":        Lookup{Model: "../m"},
		"name of dots":            Lookup{Model: ".."},
		"empty name":              Lookup{},
		"no rows":                 PredictRequest{"m", id(1), id(2), 0},
		"too many rows":           PredictRequest{"m", id(1), id(2), MaxBatch + 1},
		"no request id":           PredictRequest{"m", id(1), ID{}, 1},
		"no material":             Session{id(1), "m", id(2), []Request{{id(3), "c", 1}}, nil},
		"material twice":          Session{id(1), "m", id(2), []Request{{id(3), "c", 2}}, []Run{{id(4), []uint32{1, 1}}}},
		"material twice in runs":  Session{id(1), "m", id(2), []Request{{id(3), "c", 2}}, []Run{{id(4), []uint32{1}}, {id(4), []uint32{1}}}},
		"no request":              Session{id(1), "m", id(2), nil, []Run{{id(4), []uint32{1}}}},
		"request twice":           Session{id(1), "m", id(2), []Request{{id(3), "c", 1}, {id(3), "d", 1}}, []Run{{id(4), []uint32{1, 2}}}},
		"request without id":      Session{id(1), "m", id(2), []Request{{ID{}, "c", 1}}, []Run{{id(4), []uint32{1}}}},
		"request without rows":    Session{id(1), "m", id(2), []Request{{id(3), "c", 1}, {id(5), "c", 0}}, []Run{{id(4), []uint32{1}}}},
		"more rows than material": Session{id(1), "m", id(2), []Request{{id(3), "c", 2}}, []Run{{id(4), []uint32{1}}}},
		"long client":             Session{id(1), "m", id(2), []Request{{id(3), strings.Repeat("c", 129), 1}}, []Run{{id(4), []uint32{1}}}},
		"too many requests":       Session{id(1), "m", id(2), manyRequests(), []Run{{id(4), make([]uint32, MaxRequests+1)}}},
		"no mesh":                 Join{ID{}, "main"},
		"lane of spaces":          Join{id(1), "  "},
		"no batch":                Prep{id(1), "m", id(2), 0},
		"party 300":               Error{Code: CodePool, Party: 300},
		"no code":                 Error{},
	} {
		if m.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestOtherVersionIsATypedError(t *testing.T) {
	_, err := Decode[Ping]([]byte(`{"v":2,"kind":"ping","body":{}}`))
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeSuite {
		t.Errorf("got %v", err)
	}
}

func TestReadBoundsLengths(t *testing.T) {
	if _, err := Read[Ping](strings.NewReader("\xff\xff\xff\xff")); !errors.Is(err, ErrMalformed) {
		t.Errorf("header: got %v", err)
	}
	if _, err := ReadPayload(strings.NewReader("abc"), 4, 3); !errors.Is(err, ErrMalformed) {
		t.Errorf("payload above its limit: got %v", err)
	}
	if _, err := ReadPayload(strings.NewReader("abc"), 4, 4); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("truncated payload: got %v", err)
	}
	if _, err := Read[Ping](strings.NewReader("\x05\x00\x00\x00ab")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("truncated header: got %v", err)
	}
	if _, err := Read[Ping](strings.NewReader("")); !errors.Is(err, io.EOF) {
		t.Errorf("end of stream: got %v", err)
	}
}

func TestIDsAreStrict(t *testing.T) {
	var got ID
	for _, s := range []string{"", "ab", strings.Repeat("A", 64), strings.Repeat("g", 64), strings.Repeat("a", 66)} {
		if got.UnmarshalText([]byte(s)) == nil {
			t.Errorf("%q is accepted", s)
		}
	}
	want := id(7)
	if err := got.UnmarshalText([]byte(want.String())); err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestPackedMaterialIsTheSame(t *testing.T) {
	ms := []Material{{id(1), 3}, {id(1), 1}, {id(2), 0}, {id(1), 2}}
	got, err := Unpack(Pack(ms))
	if err != nil || !reflect.DeepEqual(got, ms) {
		t.Errorf("got %v, %v, want %v", got, err, ms)
	}
}

// manyRequests returns one request more than a session may have.
func manyRequests() []Request {
	rs := make([]Request, MaxRequests+1)
	for i := range rs {
		rs[i] = Request{id(byte(i)), "c", 1}
	}
	return rs
}

// hellos returns the hellos of three parties that agree.
func hellos() []Hello {
	hs := make([]Hello, 3)
	for i := range hs {
		hs[i].Nonce = id(byte(i))
		for t := range hs[i].Digests {
			hs[i].Digests[t] = id(byte(100 + t))
		}
	}
	return hs
}

func TestSessionIDDependsOnEverything(t *testing.T) {
	base, err := Agree("hello", hellos())
	if err != nil {
		t.Fatal(err)
	}
	for topic := range Topics {
		hs := hellos()
		for i := range hs {
			hs[i].Digests[topic][31] ^= 1
		}
		if other, err := Agree("hello", hs); err != nil || other.Session == base.Session {
			t.Errorf("topic %d does not count: %v", topic, err)
		}
	}
	for i := range 3 {
		hs := hellos()
		hs[i].Nonce[0] ^= 1
		if other, err := Agree("hello", hs); err != nil || other.Session == base.Session {
			t.Errorf("nonce %d does not count: %v", i, err)
		}
		hs = hellos()
		hs[i].Absent = 1 << 63
		if other, err := Agree("hello", hs); err != nil || other.Session == base.Session {
			t.Errorf("what party %d lacks does not count: %v", i, err)
		}
	}
}

func TestDisagreementNamesPartyAndTopic(t *testing.T) {
	for topic := range Topics {
		for party := 1; party < 3; party++ {
			hs := hellos()
			hs[party].Digests[topic][0] ^= 1
			_, err := Agree("hello", hs)
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Party != party || e.Code != topics[topic].code || !strings.Contains(e.Message, topics[topic].name) {
				t.Errorf("topic %q of party %d: got %v", topics[topic].name, party, err)
			}
		}
	}
}

func TestRefusalNamesParty(t *testing.T) {
	for r := Willing + 1; r < refusals; r++ {
		hs := hellos()
		hs[2].Refusal = r
		_, err := Agree("hello", hs)
		if e, ok := errors.AsType[*Error](err); !ok || e.Party != 2 || e.Code != refusal[r].code || e.Message == "" {
			t.Errorf("refusal %d: got %v", r, err)
		}
	}
}

func TestAbsentRequestsAreThoseOfAnyParty(t *testing.T) {
	hs := hellos()
	hs[1].Absent, hs[2].Absent = 1<<2, 1<<2|1<<63
	a, err := Agree("hello", hs)
	if err != nil || len(a.Absent) != 2 {
		t.Fatalf("got %v, %v", a.Absent, err)
	}
	for r, party := range map[int]int{2: 1, 63: 2} {
		if e := a.Absent[r]; e == nil || e.Party != party || e.Code != CodeRequest {
			t.Errorf("request %d: got %v, want that party %d lacks it", r, e, party)
		}
	}
}

func TestHelloSurvivesTheWire(t *testing.T) {
	h := hellos()[1]
	h.Refusal, h.Absent = RefuseBusy, 1<<63|5
	b := h.Append(nil)
	if len(b) != HelloLen {
		t.Fatalf("%d bytes, want %d", len(b), HelloLen)
	}
	if got, err := ParseHello(b); err != nil || got != h {
		t.Errorf("got %v, %v", got, err)
	}
	b[0] = byte(refusals)
	if _, err := ParseHello(b); !errors.Is(err, ErrMalformed) {
		t.Errorf("unknown refusal: got %v", err)
	}
}

func TestDigestIsInjective(t *testing.T) {
	a := NewDigest("x").AddString("ab", "c").Sum()
	b := NewDigest("x").AddString("a", "bc").Sum()
	c := NewDigest("x").AddString("abc").Sum()
	if a == b || b == c || a == c {
		t.Error("different lists have one digest")
	}
}

func TestReportsSurviveTheWire(t *testing.T) {
	want := Status{Party: 1, Name: "a", Sessions: map[string]int{"done": 2}, Models: []ModelStatus{{Name: "m", Version: id(3)}}, Peers: []PeerStatus{{1, "b", true}}}
	b, err := EncodeStatus(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeStatus(b); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := DecodeStatus(append(b, '{')); err == nil {
		t.Error("data after the report is accepted")
	}
	stats := SessionStats{Run: 5, Steps: []StepStats{{Step: "s", Rounds: 1}}}
	if b, err = EncodeSessionStats(stats); err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeSessionStats(b); err != nil || !reflect.DeepEqual(got, stats) {
		t.Errorf("got %v, %v", got, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range samples {
		header, err := Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header []byte) {
		m, err := decode(header)
		if err != nil {
			return
		}
		again, err := Encode(m)
		if err != nil {
			return // JSON may grow as it is written
		}
		if got, err := decode(again); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%v does not survive: %v, %v", m, got, err)
		}
	})
}

func FuzzRead(f *testing.F) {
	for _, m := range samples {
		var b bytes.Buffer
		if err := Write(&b, m, []byte("payload")); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		if _, err := Read[Report](r); err == nil {
			ReadPayload(r, int64(len(b)), MaxReport)
		}
	})
}

func FuzzParseHello(f *testing.F) {
	f.Add(hellos()[0].Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := ParseHello(b); err == nil && !bytes.Equal(h.Append(nil), b) {
			t.Error("a hello does not survive")
		}
	})
}

func FuzzReports(f *testing.F) {
	b, _ := json.Marshal(Status{})
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		DecodeStatus(b)
		DecodeSessionStats(b)
	})
}
