package scripts

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tacit-mpc/tacit/configs"
)

var scripts = []string{"cluster-start", "cluster-check", "cluster-stop", "install-party", "check-generated"}

func TestEveryScriptIsTested(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") && f.Name() != "cluster.sh" {
			n++
		}
	}
	if n != len(scripts) {
		t.Errorf("there are %d scripts, %d are tested", n, len(scripts))
	}
}

func TestEveryScriptExplainsItself(t *testing.T) {
	for _, script := range scripts {
		out, stderr, code := run(t, script, "--help")
		if code != 0 || stderr != "" || !strings.HasPrefix(out, "Usage: "+script) {
			t.Errorf("%s --help: exit %d\n%s%s", script, code, out, stderr)
		}
		misuses := [][]string{{"--nonsense"}, {"something"}}
		if flag := flagOf[script]; flag != "" {
			misuses = append(misuses, []string{flag})
		}
		for _, args := range misuses {
			out, stderr, code = run(t, script, args...)
			if code != 2 || out != "" || !strings.Contains(stderr, "error: ") || !strings.Contains(stderr, "--help") {
				t.Errorf("%s %s: exit %d\n%s%s", script, args, code, out, stderr)
			}
		}
	}
}

// flagOf has for each script a flag that needs a value.
var flagOf = map[string]string{
	"cluster-start": "--deployment",
	"cluster-check": "--dir",
	"cluster-stop":  "--wait",
	"install-party": "--config",
}

func TestWhatIsNotThereIsSaid(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "party.yaml")
	write(t, config, shipped(t, "party.yaml"), 0o600)
	noKeys := filepath.Join(dir, "cluster.yaml")
	write(t, noKeys, shipped(t, "cluster.yaml"), 0o600)
	for _, test := range []struct {
		script, args, want string
	}{
		{"cluster-start", "--tacit /nonexistent", "/nonexistent is not a program"},
		{"cluster-start", "--tacit true --dir " + dir + "/c --deployment /nonexistent", "cannot read /nonexistent"},
		{"cluster-check", "--tacit true --dir " + dir, "there is no cluster in " + dir},
		{"cluster-stop", "--dir " + dir, "there is no cluster in " + dir},
		{"install-party", "--config /nonexistent", "cannot read /nonexistent"},
		{"install-party", "--config " + config, "cannot read " + dir + "/identity.key"},
		{"install-party", "--config " + noKeys, "has no line data_dir:"},
		{"install-party", "--config " + config + " --identity " + config + " --tacit /nonexistent", "/nonexistent is not a program"},
	} {
		args := strings.Fields(strings.Replace(test.args, "--tacit true", "--tacit "+stub(t), 1))
		_, stderr, code := run(t, test.script, args...)
		if code != 1 || !strings.Contains(stderr, "error: ") || !strings.Contains(stderr, test.want) {
			t.Errorf("%s %s: exit %d\n%s", test.script, test.args, code, stderr)
		}
	}
}

func TestInstallPartyBelowARoot(t *testing.T) {
	dir, root := t.TempDir(), t.TempDir()
	config := filepath.Join(dir, "party.yaml")
	write(t, config, shipped(t, "party.yaml"), 0o600)
	write(t, filepath.Join(dir, "identity.key"), []byte("secret"), 0o600)
	for range 2 { // the second time, everything is there already
		out, stderr, code := run(t, "install-party", "--config", config, "--tacit", stub(t), "--root", root)
		if code != 0 || out+stderr != "" {
			t.Fatalf("exit %d\n%s%s", code, out, stderr)
		}
	}
	for file, mode := range map[string]fs.FileMode{
		"usr/local/bin/tacit":                    0o755,
		"etc/tacit":                              0o750 | fs.ModeDir,
		"etc/tacit/party.yaml":                   0o640,
		"etc/tacit/identity.key":                 0o400,
		"etc/systemd/system/tacit-party.service": 0o644,
		"etc/sysusers.d/tacit.conf":              0o644,
	} {
		info, err := os.Stat(filepath.Join(root, file))
		if err != nil {
			t.Error(err)
		} else if info.Mode() != mode {
			t.Errorf("%s has mode %v, want %v", file, info.Mode(), mode)
		}
	}

	before, err := configs.ParseParty("before", shipped(t, "party.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	after, err := configs.ParseParty("after", read(t, filepath.Join(root, "etc/tacit/party.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	before.IdentityFile, before.DataDir = "/etc/tacit/identity.key", "/var/lib/tacit/data"
	if !bytes.Equal(after.YAML(), before.YAML()) {
		t.Errorf("got\n%s\nwant\n%s", after.YAML(), before.YAML())
	}

	unit := string(read(t, filepath.Join(root, "etc/systemd/system/tacit-party.service")))
	for _, line := range []string{
		"ExecStart=/usr/local/bin/tacit party --config /etc/tacit/party.yaml", "User=tacit", "UMask=0077",
		"StateDirectory=tacit", "StateDirectoryMode=0700", "LimitCORE=0", "NoNewPrivileges=yes", "CapabilityBoundingSet=",
		"ProtectSystem=strict", "ProtectHome=yes", "MemoryDenyWriteExecute=yes", "SystemCallFilter=@system-service",
	} {
		if !strings.Contains(unit, "\n"+line+"\n") {
			t.Errorf("the unit has no line %s", line)
		}
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	dir, root := t.TempDir(), t.TempDir()
	config := filepath.Join(dir, "party.yaml")
	write(t, config, shipped(t, "party.yaml"), 0o600)
	write(t, filepath.Join(dir, "identity.key"), []byte("secret"), 0o600)
	out, stderr, code := run(t, "install-party", "--config", config, "--tacit", stub(t), "--root", root, "--dry-run")
	if code != 0 || stderr != "" {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	for _, want := range []string{"would write " + root + "/etc/tacit/party.yaml", "would run systemctl enable tacit-party.service"} {
		if !strings.Contains(out, want) {
			t.Errorf("does not say %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "secret") {
		t.Error("prints the identity")
	}
	files, err := os.ReadDir(root)
	if err != nil || len(files) > 0 {
		t.Errorf("wrote %v, %v", files, err)
	}
}

// run runs a script of this directory.
func run(t *testing.T, script string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command("./"+script, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func shipped(t *testing.T, file string) []byte {
	t.Helper()
	b, err := configs.Shipped.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path string, b []byte, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, b, mode); err != nil {
		t.Fatal(err)
	}
}
