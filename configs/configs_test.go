package configs

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// shipped says what each YAML file of this directory is.
var shipped = map[string]string{
	"one-machine.yaml": "deployment",
	"three-hosts.yaml": "deployment",
	"party.yaml":       "party",
	"cluster.yaml":     "cluster",
}

func TestEveryShippedFileLoads(t *testing.T) {
	files, err := fs.Glob(Shipped, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(shipped) {
		t.Errorf("%d files are shipped, %d are tested", len(files), len(shipped))
	}
	for _, file := range files {
		var err error
		switch shipped[file] {
		case "deployment":
			_, err = ParseDeployment(file, read(t, file))
		case "party":
			_, err = ParseParty(file, read(t, file))
		case "cluster":
			_, err = ParseCluster(file, read(t, file))
		default:
			t.Errorf("%s is shipped but not tested", file)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// TestShippedFilesAgree fills the identities of the example party into the example
// deployment, which must then yield the example party and cluster.
func TestShippedFilesAgree(t *testing.T) {
	d := threeHosts(t)
	party, err := ParseParty("party.yaml", read(t, "party.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.PartyConfig(0)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, party)

	cluster, err := ParseCluster("cluster.yaml", read(t, "cluster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	gotCluster, err := d.Cluster()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, gotCluster, cluster)

	defaults := Deployment{Timeouts: DefaultTimeouts(), Limits: DefaultLimits()}
	if d.Timeouts != defaults.Timeouts || d.Limits != defaults.Limits {
		t.Errorf("three-hosts.yaml says that %v and %v are the defaults", d.Timeouts, d.Limits)
	}
}

func TestADeploymentYieldsAFileForEverybody(t *testing.T) {
	d := threeHosts(t)
	for i, m := range d.Parties {
		want, err := d.PartyConfig(i)
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParseParty(m.Name, want.YAML())
		if err != nil {
			t.Fatal(err)
		}
		equal(t, p, want)
		if p.Self() != i {
			t.Errorf("%s is party %d, want %d", m.Name, p.Self(), i)
		}
	}
	want, err := d.Cluster()
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseCluster("cluster.yaml", want.YAML())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, c, want)
	again, err := ParseDeployment("deployment.yaml", d.YAML())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, again, d)
	if _, err := d.PartyConfig(3); err == nil {
		t.Error("a party that is not there has a configuration")
	}
}

// TestADeploymentCanBeMadeByAProgram leaves out what has a default.
func TestADeploymentCanBeMadeByAProgram(t *testing.T) {
	d := threeHosts(t)
	d.Models[0].MaxBatch, d.Models[0].MergeRows = 0, 0
	again, err := ParseDeployment("deployment.yaml", d.YAML())
	if err != nil {
		t.Fatal(err)
	}
	if got := again.Models[0].MaxBatch; got != DefaultLimits().MaxBatch {
		t.Errorf("requests of %d rows, want the default", got)
	}
}

func TestADraftYieldsNothingAndSaysWhoIsMissing(t *testing.T) {
	d, err := ParseDeployment("three-hosts.yaml", read(t, "three-hosts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, perr := d.PartyConfig(0)
	_, cerr := d.Cluster()
	for _, err := range []error{perr, cerr} {
		if err == nil {
			t.Fatal("a deployment without identities was used")
		}
		for _, who := range []string{"party clinic", "party insurer", "party auditor", "client laboratory", "client ward", "tacit keygen"} {
			if !strings.Contains(err.Error(), who) {
				t.Errorf("does not name %s: %v", who, err)
			}
		}
	}
}

func TestListenAddress(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:7100":      "127.0.0.1:7100",
		"[::1]:7100":          "[::1]:7100",
		"localhost:7100":      "localhost:7100",
		"192.0.2.1:7100":      "0.0.0.0:7100",
		"[2001:db8::1]:7100":  "[::]:7100",
		"tacit.example.:7100": "0.0.0.0:7100",
	} {
		if got := listenAddress(address); got != want {
			t.Errorf("%s: listens at %s, want %s", address, got, want)
		}
	}
}

func TestRolesAndModelsAreLookedUp(t *testing.T) {
	p, err := ParseParty("party.yaml", read(t, "party.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	ward, ok := p.Client("12D3KooWHjNRa1354Amx9QGQYEbah4z4YP78bNzC3zK2DfQCfB1X")
	if !ok || ward.Name != "ward" {
		t.Fatalf("found %v, %v", ward, ok)
	}
	if !ward.Allows(RolePredict, "tumour") || ward.Allows(RoleDeploy, "tumour") || ward.Allows(RolePredict, "digits") {
		t.Error("the ward may predict with tumour, and nothing else")
	}
	if _, ok := p.Client(p.Parties[1].Identity); ok {
		t.Error("a party is not a client")
	}
	if m, ok := p.Model("tumour"); !ok || m.MaxBatch != 16 {
		t.Errorf("found %v, %v", m, ok)
	}
	if _, ok := p.Model("digits"); ok {
		t.Error("found a model that is not there")
	}
}

func TestPathsAreTakenFromTheFile(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "identity.key")
	write(t, key, nil, 0o600)
	write(t, filepath.Join(dir, "party.yaml"), read(t, "party.yaml"), 0o644)
	write(t, filepath.Join(dir, "cluster.yaml"), read(t, "cluster.yaml"), 0o644)

	p, err := LoadParty(filepath.Join(dir, "party.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if p.IdentityFile != key || p.DataDir != filepath.Join(dir, "data") {
		t.Errorf("identity %s, data %s", p.IdentityFile, p.DataDir)
	}
	c, err := LoadCluster(filepath.Join(dir, "cluster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if c.IdentityFile != key {
		t.Errorf("identity %s", c.IdentityFile)
	}
}

func TestAnIdentityFileMustBeItsOwnersAlone(t *testing.T) {
	for name, test := range map[string]struct {
		make func(t *testing.T, key string)
		want string
	}{
		"missing":   {func(*testing.T, string) {}, "does not exist: make it with `tacit keygen --out "},
		"group":     {func(t *testing.T, key string) { write(t, key, nil, 0o640) }, "has mode 0640"},
		"others":    {func(t *testing.T, key string) { write(t, key, nil, 0o604) }, "run `chmod 600 "},
		"directory": {func(t *testing.T, key string) { mkdir(t, key) }, "is not a file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			test.make(t, filepath.Join(dir, "identity.key"))
			for _, file := range []string{"party.yaml", "cluster.yaml"} {
				path := filepath.Join(dir, file)
				write(t, path, read(t, file), 0o644)
				var err error
				if file == "party.yaml" {
					_, err = LoadParty(path)
				} else {
					_, err = LoadCluster(path)
				}
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), path+": identity_file: ") {
					t.Errorf("got %v, want %s", err, test.want)
				}
			}
		})
	}
}

func TestAFileThatCannotBeReadIsNamed(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "nothing.yaml")
	_, derr := LoadDeployment(missing)
	_, perr := LoadParty(missing)
	_, cerr := LoadCluster(missing)
	_, direrr := LoadDeployment(t.TempDir())
	for _, err := range []error{derr, perr, cerr, direrr} {
		if err == nil || !strings.HasPrefix(err.Error(), "configuration: ") {
			t.Errorf("got %v", err)
		}
	}
}

// threeHosts returns three-hosts.yaml with the identities of party.yaml.
func threeHosts(t *testing.T) *Deployment {
	t.Helper()
	ids := regexp.MustCompile(`12D3KooW\w{44}`).FindAllString(string(read(t, "party.yaml")), -1)
	text := regexp.MustCompile(`(?m)^    identity:.*$`).ReplaceAllStringFunc(string(read(t, "three-hosts.yaml")), func(string) string {
		id := ids[0]
		ids = ids[1:]
		return "    identity: " + id
	})
	d, err := ParseDeployment("three-hosts.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := Shipped.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path string, b []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, b, mode); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
