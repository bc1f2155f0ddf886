package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCommittedFilesAreCurrent generates afresh and compares. The first line
// names the command with its paths.
func TestCommittedFilesAreCurrent(t *testing.T) {
	dir := t.TempDir()
	asm, stubs := filepath.Join(dir, "k.s"), filepath.Join(dir, "s.go")
	if out, err := exec.Command("go", "run", ".", "-out", asm, "-stubs", stubs, "-pkg", "ntt").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for fresh, committed := range map[string]string{asm: "../kernels_amd64.s", stubs: "../stubs_amd64.go"} {
		a, err := os.ReadFile(fresh)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(committed)
		if err != nil {
			t.Fatal(err)
		}
		_, a, _ = bytes.Cut(a, []byte("\n"))
		_, b, _ = bytes.Cut(b, []byte("\n"))
		if !bytes.Equal(a, b) {
			t.Errorf("%s is not what the generator writes: run go generate", committed)
		}
	}
}

// TestKernelsNeedOnlyIFMA reads what the generator found the instructions to
// require: this machine may have more than those that take these kernels.
func TestKernelsNeedOnlyIFMA(t *testing.T) {
	text, err := os.ReadFile("../kernels_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`// Requires: (.*)`).FindAllSubmatch(text, -1)
	if want := bytes.Count(text, []byte("TEXT ·")); len(found) != want || want == 0 {
		t.Errorf("%d of %d kernels say what they require", len(found), want)
	}
	for _, m := range found {
		for need := range strings.SplitSeq(string(m[1]), ", ") {
			if !slices.Contains([]string{"SSE2", "AVX", "AVX512F", "AVX512IFMA"}, need) {
				t.Errorf("a kernel requires %s", need)
			}
		}
	}
}
