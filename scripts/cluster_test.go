package scripts

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestARealCluster does with three daemons what a person would.
func TestARealCluster(t *testing.T) {
	tacit := build(t)
	dir := filepath.Join(t.TempDir(), "cluster")
	t.Cleanup(func() { run(t, "cluster-stop", "--dir", dir, "--wait", "0") })
	start := []string{"--dir", dir, "--tacit", tacit, "--deployment", deployment(t)}

	out, stderr, code := run(t, "cluster-start", start...)
	if code != 0 || !strings.Contains(out, "ready: clients use "+dir+"/owner/cluster.yaml") {
		t.Fatalf("start: exit %d\n%s%s", code, out, stderr)
	}
	for _, name := range []string{"alpha", "beta", "gamma", "owner", "user"} {
		if info, err := os.Stat(filepath.Join(dir, name, "identity.key")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("identity of %s: %v, %v", name, info, err)
		}
	}
	out, stderr, code = run(t, "cluster-check", "--dir", dir, "--tacit", tacit)
	if code != 0 || !strings.Contains(out, "gamma runs, process ") {
		t.Errorf("check: exit %d\n%s%s", code, out, stderr)
	}

	number, err := strconv.Atoi(strings.TrimSpace(string(read(t, filepath.Join(dir, "beta", "pid")))))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(number, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	out, stderr, code = run(t, "cluster-check", "--dir", dir, "--tacit", tacit)
	if code != 1 || !strings.Contains(stderr, "not running: beta") {
		t.Errorf("check without beta: exit %d\n%s%s", code, out, stderr)
	}
	out, stderr, code = run(t, "cluster-start", start...)
	if code != 0 || !strings.Contains(out, "alpha runs already") || !strings.Contains(out, "beta started") {
		t.Errorf("start of beta: exit %d\n%s%s", code, out, stderr)
	}

	out, stderr, code = run(t, "cluster-stop", "--dir", dir, "--delete")
	if code != 0 || strings.Count(out, " stopped\n") != 3 {
		t.Errorf("stop: exit %d\n%s%s", code, out, stderr)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the cluster was not deleted: %v", err)
	}
}

// build builds the program that is tested.
func build(t *testing.T) string {
	t.Helper()
	tacit := filepath.Join(t.TempDir(), "tacit")
	if out, err := exec.Command("go", "build", "-o", tacit, "../cmd/tacit").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return tacit
}

// deployment writes the shipped deployment with ports that nobody uses now.
func deployment(t *testing.T) string {
	t.Helper()
	text := string(shipped(t, "one-machine.yaml"))
	for _, address := range []string{"127.0.0.1:7101", "127.0.0.1:7102", "127.0.0.1:7103"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // all are taken before the first is given back
		text = strings.Replace(text, address, l.Addr().String(), 1)
	}
	path := filepath.Join(t.TempDir(), "deployment.yaml")
	write(t, path, []byte(text), 0o600)
	return path
}
