package configs

import "testing"

// What a loader accepts must mean the same once it is written and read again.

func FuzzParty(f *testing.F) {
	f.Add(read(f, "party.yaml"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseParty("party.yaml", b)
		if err != nil {
			return
		}
		again, err := ParseParty("party.yaml", p.YAML())
		if err != nil {
			t.Fatalf("%v\n%s", err, p.YAML())
		}
		same(t, string(again.YAML()), string(p.YAML()))
	})
}

func FuzzCluster(f *testing.F) {
	f.Add(read(f, "cluster.yaml"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCluster("cluster.yaml", b)
		if err != nil {
			return
		}
		again, err := ParseCluster("cluster.yaml", c.YAML())
		if err != nil {
			t.Fatalf("%v\n%s", err, c.YAML())
		}
		same(t, string(again.YAML()), string(c.YAML()))
	})
}

func FuzzDeployment(f *testing.F) {
	f.Add(read(f, "one-machine.yaml"))
	f.Add(read(f, "three-hosts.yaml"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseDeployment("deployment.yaml", b)
		if err != nil || d.complete() != nil {
			return
		}
		files, err := d.Files()
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != len(d.Parties)+len(d.Clients) {
			t.Errorf("%d files for %d parties and %d clients", len(files), len(d.Parties), len(d.Clients))
		}
		for _, m := range d.Parties {
			if _, err := ParseParty(m.Name, files[m.Name+"/party.yaml"]); err != nil {
				t.Error(err)
			}
		}
		for _, c := range d.Clients {
			if _, err := ParseCluster(c.Name, files[c.Name+"/cluster.yaml"]); err != nil {
				t.Error(err)
			}
		}
	})
}

func same(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
