package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/rogpeppe/go-internal/testscript"
)

func examplesDir(t *testing.T) string {
	dir, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// fillPorts replaces PORT0, PORT1, … in a file by free loopback ports.
func fillPorts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ports FILE")
	}
	text := ts.ReadFile(args[0])
	addresses, err := freeAddresses(strings.Count(text, "PORT"))
	ts.Check(err)
	for _, a := range addresses {
		_, port, _ := strings.Cut(a, ":")
		i := strings.Index(text, "PORT")
		text = text[:i] + port + text[i+5:]
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// fillIdentities makes a key for every NAME given, in NAME/identity.key, and
// replaces ID-NAME in the file by the public identity.
func fillIdentities(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: identities FILE NAME...")
	}
	text := ts.ReadFile(args[0])
	for _, name := range args[1:] {
		id, err := identity(ts.MkAbs(filepath.Join("cluster", name)))
		ts.Check(err)
		text = strings.ReplaceAll(text, "ID-"+name, id)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// waitForCluster waits until all parties of a cluster answer and see each other.
func waitForCluster(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: up CLUSTER")
	}
	ctx := context.Background()
	c, err := dial(ctx, ts.MkAbs(args[0]))
	ts.Check(err)
	defer c.Close()
	_, err = backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, connected(ctx, c) },
		backoff.WithBackOff(backoff.NewConstantBackOff(50*time.Millisecond)), backoff.WithMaxElapsedTime(time.Minute))
	ts.Check(err)
}
