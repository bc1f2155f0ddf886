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
		if err != nil {
			return
		}
		again, err := ParseDeployment("deployment.yaml", d.YAML())
		if err != nil {
			t.Fatalf("%v\n%s", err, d.YAML())
		}
		same(t, string(again.YAML()), string(d.YAML()))
		if d.complete() != nil {
			return
		}
		for i, m := range d.Parties {
			p, err := d.PartyConfig(i)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ParseParty(m.Name, p.YAML()); err != nil {
				t.Error(err)
			}
		}
		c, err := d.Cluster()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseCluster("cluster.yaml", c.YAML()); err != nil {
			t.Error(err)
		}
	})
}

func same(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
