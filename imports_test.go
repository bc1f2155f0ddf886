package tacit_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tacit-mpc/tacit/"

// layers lists, for every package, the packages of this module that it may
// import, and from outside the ones that only it may import. Data and imports
// both flow one way; see docs/architecture.md.
var layers = []struct {
	pkg, ours string
}{
	{"internal/ring", ""},
	{"internal/prg", ""},
	{"internal/ntt", ""},
	{"circuits", ""},
	{"model", "internal/ring model/onnx"},
	{"model/onnx", ""},
	{"transport", ""},
	{"transport/p2p", "transport"},
	{"protocol/share", "internal/ring internal/prg transport"},
	{"protocol/linear", "internal/ring protocol/share transport"},
	{"protocol/ot", "internal/ring internal/prg transport"},
	{"protocol/ot/ottest", "internal/prg internal/testnet protocol/ot transport"},
	{"protocol/triple", "internal/ring internal/ntt internal/prg transport"},
	{"protocol/garble", "circuits internal/ring internal/prg protocol/ot transport"},
	{"protocol/carry", "protocol/ot transport"},
	{"protocol/product", "internal/ring internal/prg protocol/ot protocol/share transport"},
	{"protocol/compare", "circuits internal/ring internal/prg protocol/share protocol/ot protocol/garble protocol/carry transport"},
	{"protocol/prep", "internal/ring internal/prg model protocol/share protocol/linear protocol/ot protocol/triple protocol/garble protocol/compare protocol/product transport"},
	{"protocol/infer", "internal/ring model protocol/share protocol/linear protocol/compare protocol/product protocol/prep transport"},
	{"configs", ""},
	{"internal/wire", "model transport"},
	{"client", "configs internal/ring internal/prg internal/wire model protocol/share transport transport/p2p"},
	{"party", "configs internal/ring internal/prg internal/wire model protocol/share protocol/linear protocol/prep protocol/infer transport transport/p2p"},
	{"examples", ""},
	{"internal/rehearse", "model protocol/share protocol/compare protocol/prep protocol/infer transport"},
	{"internal/datasheet", "internal/rehearse model transport"},
	{"scripts", ""},
	{"internal/bench", "circuits internal/prg internal/ring model model/onnx protocol/compare protocol/garble protocol/ot protocol/product protocol/triple transport transport/p2p"},
	{"cmd/tacit", "client configs examples internal/bench internal/datasheet internal/rehearse internal/wire model party transport transport/p2p"},
}

// only lists dependencies that one package alone may import.
var only = map[string]string{
	"github.com/ldsec/lattigo/":    "protocol/triple",
	"github.com/cloudflare/circl/": "protocol/ot",
	"github.com/libp2p/":           "transport/p2p",
	"google.golang.org/protobuf/":  "model",
}

func list(t *testing.T, format string, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-f", format}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Fields(string(out))
}

func TestImports(t *testing.T) {
	for _, l := range layers {
		allowed := strings.Fields(l.ours)
		for _, dep := range list(t, `{{join .Imports "\n"}}`, module+l.pkg) {
			if ours, ok := strings.CutPrefix(dep, module); ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s must not import %s", l.pkg, ours)
			}
			for prefix, owner := range only {
				if strings.HasPrefix(dep, prefix) && !strings.HasPrefix(l.pkg+"/", owner+"/") {
					t.Errorf("%s must not import %s: only %s does", l.pkg, dep, owner)
				}
			}
		}
	}
}

// TestEveryPackageHasALayer makes sure that a new package states its place.
func TestEveryPackageHasALayer(t *testing.T) {
	for _, pkg := range list(t, "{{.ImportPath}}", "./...") {
		pkg, ok := strings.CutPrefix(pkg, module)
		if !ok || pkg == "internal/testnet" || strings.HasPrefix(pkg, "internal/ring/") || strings.HasPrefix(pkg, "internal/prg/") {
			continue // this package, tests only, generators
		}
		known := false
		for _, l := range layers {
			known = known || l.pkg == pkg
		}
		if !known {
			t.Errorf("package %s is not in the table of layers", pkg)
		}
	}
}

// TestNoTestCodeIsShipped checks that the binary links nothing that exists for
// tests, where the only trusted dealers are.
func TestNoTestCodeIsShipped(t *testing.T) {
	for _, dep := range list(t, `{{join .Deps "\n"}}`, module+"cmd/tacit") {
		if dep == "testing" || strings.Contains(dep, "testnet") || strings.Contains(dep, "ottest") || strings.Contains(dep, "go-internal/testscript") {
			t.Errorf("cmd/tacit links %s", dep)
		}
	}
}

// TestProtocolComments checks that every protocol package states its security,
// its source and where it departs from it.
func TestProtocolComments(t *testing.T) {
	for _, pkg := range list(t, "{{.ImportPath}}", "./protocol/...") {
		doc, err := exec.Command("go", "doc", pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, heading := range []string{"Security:", "Reference:", "Deviations:"} {
			if !strings.Contains(string(doc), heading) {
				t.Errorf("the package comment of %s has no %q", pkg, heading)
			}
		}
	}
}
