package scripts

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tacit-mpc/tacit/configs"
)

// stubProgram stands for a tacit that misbehaves as the file "how" of the cluster says.
const stubProgram = `#!/bin/sh
case "$1" in
keygen)
	(umask 077 && echo secret >"$3")
	count=$(ls "$(dirname "$3")"/../*/identity.key | wc -l)
	printf '12D3KooW%044d\n' "$((count + 1111))" | tr 0 a
	;;
cluster)
	for name in alpha beta gamma; do mkdir -p "$6/$name" && : >"$6/$name/party.yaml"; done
	mkdir -p "$6/owner" && : >"$6/owner/cluster.yaml"
	;;
party)
	read -r how <"$(dirname "$3")/../how"
	case "$how" in
	ends) echo "out of luck" && exit 1 ;;
	deaf) trap '' TERM ;;
	*) trap 'exit 0' TERM ;;
	esac
	while :; do sleep 0.05; done
	;;
status)
	read -r how <"$(dirname "$3")/../how"
	case "$how" in
	ends) echo "nobody answers" >&2 && exit 1 ;;
	alone) echo "gamma does not reach alpha" && exit ;;
	esac
	echo "all well"
	;;
esac
`

// stub writes the stub program and returns its path.
func stub(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tacit")
	write(t, path, []byte(stubProgram), 0o700)
	return path
}

// cluster returns an empty directory for a cluster whose parties behave as said.
// Whatever runs there is stopped after the test.
func cluster(t *testing.T, how string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "how"), []byte(how+"\n"), 0o600)
	t.Cleanup(func() { run(t, "cluster-stop", "--dir", dir, "--wait", "0") })
	return dir
}

func TestAClusterIsStartedCheckedAndStopped(t *testing.T) {
	dir, tacit := cluster(t, "well"), stub(t)
	out, stderr, code := run(t, "cluster-start", "--dir", dir, "--tacit", tacit)
	if code != 0 || !strings.Contains(out, "alpha started") || !strings.Contains(out, "ready: clients use "+dir+"/owner/cluster.yaml") {
		t.Fatalf("start: exit %d\n%s%s", code, out, stderr)
	}

	d, err := configs.LoadDeployment(filepath.Join(dir, "deployment.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Cluster(); err != nil {
		t.Errorf("identities were not filled in: %v", err)
	}
	for _, name := range []string{"alpha", "beta", "gamma", "owner", "user"} {
		if info, err := os.Stat(filepath.Join(dir, name, "identity.key")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("identity of %s: %v, %v", name, info, err)
		}
	}

	out, stderr, code = run(t, "cluster-check", "--dir", dir, "--tacit", tacit)
	if code != 0 || !strings.Contains(out, "gamma runs, process ") || !strings.Contains(out, "all well") {
		t.Errorf("check: exit %d\n%s%s", code, out, stderr)
	}

	before := string(read(t, filepath.Join(dir, "deployment.yaml")))
	out, stderr, code = run(t, "cluster-start", "--dir", dir, "--tacit", tacit)
	if code != 0 || strings.Contains(out, " started") || !strings.Contains(out, "alpha runs already") {
		t.Errorf("second start: exit %d\n%s%s", code, out, stderr)
	}
	if string(read(t, filepath.Join(dir, "deployment.yaml"))) != before {
		t.Error("a second start made other identities")
	}

	out, stderr, code = run(t, "cluster-stop", "--dir", dir)
	if code != 0 || !strings.Contains(out, "beta stopped") {
		t.Errorf("stop: exit %d\n%s%s", code, out, stderr)
	}
	_, stderr, code = run(t, "cluster-check", "--dir", dir, "--tacit", tacit)
	if code != 1 || !strings.Contains(stderr, "not running: alpha beta gamma") {
		t.Errorf("check of a stopped cluster: exit %d\n%s", code, stderr)
	}

	_, stderr, code = run(t, "cluster-stop", "--dir", dir, "--delete")
	files, err := os.ReadDir(dir)
	if code != 0 || err != nil || len(files) != 2 || files[0].Name() != "how" || files[1].Name() != "user" {
		t.Errorf("delete: exit %d, %v, %v\n%s", code, files, err, stderr)
	}
}

func TestAPartyThatEndsIsNamedWithItsLog(t *testing.T) {
	_, stderr, code := run(t, "cluster-start", "--dir", cluster(t, "ends"), "--tacit", stub(t))
	if code != 1 || !strings.Contains(stderr, "out of luck") || !strings.Contains(stderr, "error: gamma has ended") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

func TestPartiesThatDoNotReachEachOtherAreReported(t *testing.T) {
	_, stderr, code := run(t, "cluster-start", "--dir", cluster(t, "alone"), "--tacit", stub(t), "--wait", "1")
	if code != 1 || !strings.Contains(stderr, "gamma does not reach alpha") || !strings.Contains(stderr, "did not reach each other within 1 seconds") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

func TestAPartyThatDoesNotStopIsKilled(t *testing.T) {
	dir := cluster(t, "deaf")
	if out, stderr, code := run(t, "cluster-start", "--dir", dir, "--tacit", stub(t)); code != 0 {
		t.Fatalf("start: exit %d\n%s%s", code, out, stderr)
	}
	_, stderr, code := run(t, "cluster-stop", "--dir", dir, "--wait", "0")
	if code != 1 || !strings.Contains(stderr, "had to be killed: alpha beta gamma") {
		t.Errorf("stop: exit %d\n%s", code, stderr)
	}
}

func TestANumberOfAnotherProcessIsNotTakenForAParty(t *testing.T) {
	dir := cluster(t, "well")
	write(t, filepath.Join(dir, "deployment.yaml"), nil, 0o600)
	for _, party := range []string{"alpha", "beta"} {
		if err := os.Mkdir(filepath.Join(dir, party), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, party, "party.yaml"), nil, 0o600)
		write(t, filepath.Join(dir, party, "pid"), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
	}
	out, stderr, code := run(t, "cluster-stop", "--dir", dir, "--wait", "0") // or this test would be gone
	if code != 0 || !strings.Contains(out, "alpha stopped") {
		t.Errorf("exit %d\n%s%s", code, out, stderr)
	}
}
