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
	if out, err := exec.Command("go", "run", ".", "-out", asm, "-stubs", stubs, "-pkg", "ring").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for fresh, committed := range map[string]string{asm: "../tile_amd64.s", stubs: "../tile_stubs_amd64.go"} {
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

// TestKernelsNeedWhatTheyAreChosenBy reads what the generator found the
// instructions to require: this machine may have more than others that take these
// kernels.
func TestKernelsNeedWhatTheyAreChosenBy(t *testing.T) {
	text, err := os.ReadFile("../tile_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]string{ // by the end of the name
		"AVX2":   "AVX AVX2",
		"AVX512": "AVX AVX512DQ AVX512F",
		"IFMA":   "AVX AVX512DQ AVX512F AVX512IFMA",
		"VBMI":   "AVX AVX512BW AVX512F AVX512VBMI",
	}
	kernels := regexp.MustCompile(`// Requires: (.*)\nTEXT ·(?:tile\dx\d\d|pack|unpack|addPacked)([A-Z0-9]+)(?:Pair)?\(`).FindAllSubmatch(text, -1)
	if got, want := len(kernels), bytes.Count(text, []byte("TEXT ·")); got != want || got == 0 {
		t.Errorf("%d of %d kernels have a known name", got, want)
	}
	for _, k := range kernels {
		for need := range strings.SplitSeq(string(k[1]), ", ") {
			// MMX+ stands for the prefetch, which all amd64 processors have.
			if need != "MMX+" && !slices.Contains(strings.Fields(allowed[string(k[2])]), need) {
				t.Errorf("%s requires %s", k[0], need)
			}
		}
	}
}
