package wire

import (
	"encoding/json"
	"fmt"
	"time"
)

// StepStats is the traffic of one step and the time from the end of the step
// before it. Bytes are payload.
type StepStats struct {
	Step     string        `json:"step"`
	Rounds   int           `json:"rounds"`
	Sent     int64         `json:"sent"`
	Received int64         `json:"received"`
	Time     time.Duration `json:"time"`
}

// SessionStats says what one online session cost one party.
type SessionStats struct {
	Wait  time.Duration `json:"wait"`  // for material
	Agree time.Duration `json:"agree"` // from the proposal to the session id
	Run   time.Duration `json:"run"`   // from the client's shares to the output
	Steps []StepStats   `json:"steps"`
}

// BatchStats says what one batch of material cost one party.
type BatchStats struct {
	Batch int           `json:"batch"` // inferences
	Time  time.Duration `json:"time"`
	Sent  int64         `json:"sent"`
	Bytes int64         `json:"bytes"` // sent and received
	Steps []StepStats   `json:"steps"`
}

// ModelStatus is what a party says about one deployed model.
type ModelStatus struct {
	Name       string      `json:"name"`
	Version    ID          `json:"version"`
	Seq        uint64      `json:"seq"`
	Manifest   ID          `json:"manifest"`
	Pool       int         `json:"pool"`
	Target     int         `json:"target"`
	Prep       string      `json:"prep"` // state of the preparation
	Problem    string      `json:"problem,omitempty"`
	Setup      BatchStats  `json:"setup"` // base OTs, keys, encrypted weights
	Last       BatchStats  `json:"last"`  // the latest batch
	Batches    int         `json:"batches"`
	Inferences int         `json:"inferences"` // prepared since the start
	Total      BatchTotals `json:"total"`
}

// BatchTotals sums over all batches since the start of the daemon.
type BatchTotals struct {
	Time  time.Duration `json:"time"`
	Bytes int64         `json:"bytes"`
}

// PeerStatus says whether another party can be reached.
type PeerStatus struct {
	Party     int    `json:"party"`
	Name      string `json:"name"`
	Reachable bool   `json:"reachable"`
}

// Status is the state of one party.
type Status struct {
	Party    int            `json:"party"`
	Name     string         `json:"name"`
	Release  string         `json:"release"`
	Suite    string         `json:"suite"`
	Uptime   time.Duration  `json:"uptime"`
	Sessions map[string]int `json:"sessions"` // by state, since the start
	Models   []ModelStatus  `json:"models"`
	Peers    []PeerStatus   `json:"peers"`
}

// DecodeStatus decodes the payload of a [Report].
func DecodeStatus(b []byte) (Status, error) {
	var s Status
	err := strict(b, &s)
	return s, err
}

// DecodeSessionStats decodes the second payload of a [Result].
func DecodeSessionStats(b []byte) (SessionStats, error) {
	var s SessionStats
	err := strict(b, &s)
	return s, err
}

// EncodeStatus returns the payload of a [Report].
func EncodeStatus(s Status) ([]byte, error) { return report(s) }

// EncodeSessionStats returns the second payload of a [Result].
func EncodeSessionStats(s SessionStats) ([]byte, error) { return report(s) }

func report[T Status | SessionStats](v T) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if len(b) > MaxReport {
		return nil, fmt.Errorf("report of %d bytes, at most %d", len(b), MaxReport)
	}
	return b, nil
}
